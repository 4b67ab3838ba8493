using System.Globalization;
using System.Net.NetworkInformation;
using FluentAssertions;
using VfioUser.Network;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Two guests, each with a network device that this process serves, and a switch between the devices.</summary>
internal sealed class NetGuests : IAsyncDisposable
{
    private const int MemorySize = 320;
    private const int MaxPiece = 64; // MiB, which have room in a guest

    private static readonly TimeSpan TransferTimeout = TimeSpan.FromMinutes(10);

    private readonly PciDevice[] _devices;
    private readonly ServedDevice[] _served;
    private readonly List<VirtualMachine> _machines = [];

    private NetGuests(PciDevice[] devices)
    {
        _devices = devices;
        _served = [.. devices.Select(device => new ServedDevice(device))];
    }

    public IReadOnlyList<VirtualMachine> Machines => _machines;

    /// <param name="devices">A device for each guest, plugged into a switch; becomes this object's.</param>
    /// <param name="modules">The driver of each, and of what else.</param>
    /// <param name="processors">Of each guest.</param>
    public static async Task<NetGuests> Start(PciDevice[] devices, string[] modules, int processors = 1)
    {
        NetGuests guests = new(devices);
        try
        {
            Initramfs initramfs = new(modules: modules, programs: ["ethtool"]);
            guests._machines.AddRange(await Task.WhenAll(guests._served.Select(served => VirtualMachine.Start(new MachineOptions
            {
                Guest = initramfs,
                SocketPaths = [served.SocketPath],
                MemorySize = MemorySize,
                Arguments = processors == 1 ? [] : ["-smp", processors.ToString(CultureInfo.InvariantCulture)],
            }))));
            for (int i = 0; i < guests._machines.Count; i++)
                await guests.Configure(i);
            return guests;
        }
        catch
        {
            await guests.DisposeAsync();
            throw;
        }
    }

    public static PhysicalAddress AddressOf(int guest) => new([0x52, 0x54, 0x00, 0xF1, 0x00, (byte)guest]);

    public static string IpOf(int guest) => string.Create(CultureInfo.InvariantCulture, $"10.0.0.{guest + 1}");

    public Task Configure(int guest) => _machines[guest].Output($"ip link set lo up; ip addr add {IpOf(guest)}/24 dev eth0 && ip link set eth0 up");

    public async Task Ping(int guest, int size = 56)
    {
        await WaitForCarrier(guest, isUp: true);
        (await _machines[guest].Output($"ping -c 5 -A -W 20 -s {size} {IpOf(1 - guest)}")).Should().Contain(" 0% packet loss");
    }

    public Task WaitForCarrier(int guest, bool isUp) =>
        _machines[guest].Output($"until [ \"$(cat /sys/class/net/eth0/carrier)\" = {(isUp ? 1 : 0)} ]; do usleep 100000; done");

    /// <summary>Sends random data by TCP, several times if it is much, and compares what arrives.</summary>
    public async Task Transfer(int from, int mebibytes)
    {
        VirtualMachine sender = _machines[from];
        VirtualMachine receiver = _machines[1 - from];
        await sender.Output(string.Create(CultureInfo.InvariantCulture, $"dd if=/dev/urandom of=/tmp/data bs=1M count={Math.Min(mebibytes, MaxPiece)} 2>/dev/null"), TransferTimeout);
        string all = string.Create(CultureInfo.InvariantCulture, $"for i in $(seq {(mebibytes - 1) / MaxPiece + 1}); do cat /tmp/data; done");
        // with an input that never ends: nc would end the connection with it
        Task<string> received = receiver.Output("rm -f /tmp/in; mkfifo /tmp/in; nc -l -p 5000 <>/tmp/in | md5sum", TransferTimeout);
        await sender.Output($"until ({all}) | nc {IpOf(1 - from)} 5000; do usleep 200000; done", TransferTimeout);
        (await received).Should().Be(await sender.Output($"({all}) | md5sum", TransferTimeout));
    }

    /// <summary>Switches both off; neither kernel has complained.</summary>
    public async Task PowerOff()
    {
        foreach (VirtualMachine machine in _machines)
        {
            (await machine.Output("dmesg | grep -iE 'rx error|short packet|netdev watchdog|nobody cared|bad page|hw csum'; true")).Should().BeEmpty();
            await machine.PowerOff();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (VirtualMachine machine in _machines)
            await machine.DisposeAsync();
        for (int i = 0; i < _devices.Length; i++)
        {
            await _served[i].DisposeAsync();
            _devices[i].Dispose();
        }
    }
}
