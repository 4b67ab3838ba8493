using System.Globalization;
using System.Net.NetworkInformation;
using E1000.Device;
using FluentAssertions;
using VfioUser.Network;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.E1000;

/// <summary>Two guests, each with a card that this process serves, and a switch between the cards.</summary>
internal sealed class NetworkedGuests : IAsyncDisposable
{
    private const int MemorySize = 320;

    private static readonly Initramfs Guest = new(modules: ["e1000"], programs: ["ethtool"]);
    private static readonly TimeSpan TransferTimeout = TimeSpan.FromMinutes(10);

    private readonly NetworkSwitch _switch = new();
    private readonly NetworkCard[] _cards = new NetworkCard[2];
    private readonly NetworkSwitchPort[] _ports = new NetworkSwitchPort[2];
    private readonly ServedDevice[] _served = new ServedDevice[2];
    private readonly List<VirtualMachine> _machines = [];

    private NetworkedGuests()
    {
        for (int i = 0; i < _cards.Length; i++)
        {
            _cards[i] = new NetworkCard(new() { Address = AddressOf(i) });
            _ports[i] = _switch.Connect(_cards[i]);
            _cards[i].Plug(_ports[i]);
            _served[i] = new ServedDevice(_cards[i]);
        }
    }

    public IReadOnlyList<VirtualMachine> Machines => _machines;

    public static async Task<NetworkedGuests> Start()
    {
        NetworkedGuests guests = new();
        try
        {
            guests._machines.AddRange(await Task.WhenAll(guests._served.Select(served => VirtualMachine.Start(new MachineOptions
            {
                Guest = Guest,
                SocketPaths = [served.SocketPath],
                MemorySize = MemorySize,
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

    public static PhysicalAddress AddressOf(int guest) => new([0x52, 0x54, 0x00, 0xE1, 0x00, (byte)guest]);

    public static string IpOf(int guest) => string.Create(CultureInfo.InvariantCulture, $"10.0.0.{guest + 1}");

    public Task Configure(int guest) => _machines[guest].Output($"ip link set lo up; ip addr add {IpOf(guest)}/24 dev eth0 && ip link set eth0 up");

    /// <summary>Pings the other guest.</summary>
    public async Task Ping(int guest, int size = 56)
    {
        // the driver takes its time to see that its link is up
        await _machines[guest].Output("until [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do usleep 100000; done");
        string result = await _machines[guest].Output($"ping -c 5 -A -W 20 -s {size} {IpOf(1 - guest)}");
        result.Should().Contain(" 0% packet loss");
    }

    /// <summary>Sends a file that the guest has by TCP, and compares what arrives.</summary>
    /// <param name="from">Which guest sends.</param>
    /// <param name="meanwhile">A command that the sender runs when the transfer has begun.</param>
    public async Task Transfer(int from, string meanwhile = "true")
    {
        VirtualMachine sender = _machines[from];
        VirtualMachine receiver = _machines[1 - from];
        // with an input that never ends: nc would end the connection with it
        Task<string> received = receiver.Output("rm -f /tmp/in; mkfifo /tmp/in; nc -l -p 5000 <>/tmp/in | md5sum", TransferTimeout);
        await sender.Output(
            $"until nc {IpOf(1 - from)} 5000 </tmp/data; do usleep 200000; done & sent=$!; sleep 1; {meanwhile}; wait $sent", TransferTimeout);
        string expected = await sender.Output("md5sum </tmp/data", TransferTimeout);
        (await received).Should().Be(expected);
    }

    public Task MakeData(int guest, int mebibytes) => _machines[guest].Output($"dd if=/dev/urandom of=/tmp/data bs=1M count={mebibytes} 2>/dev/null", TransferTimeout);

    public async Task<long> Statistic(int guest, string name) =>
        long.Parse(await _machines[guest].Output($"ethtool -S eth0 | sed -n 's/^ *{name}: //p'"), CultureInfo.InvariantCulture);

    public void Unplug(int guest) => _cards[guest].Unplug();

    public void Plug(int guest) => _cards[guest].Plug(_ports[guest]);

    /// <summary>Switches both off; neither kernel has complained, and the cards lacked nothing.</summary>
    public async Task PowerOff()
    {
        foreach (VirtualMachine machine in _machines)
        {
            (await machine.Output("dmesg | grep -iE 'e1000.*(hang|error|fail)|netdev watchdog|nobody cared|bad page'; true")).Should().BeEmpty();
            await machine.PowerOff();
        }

        _cards.Should().OnlyContain(card => card.UnmodelledAccessCount == 0, "the card has all that Linux uses");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (VirtualMachine machine in _machines)
            await machine.DisposeAsync();
        for (int i = 0; i < _cards.Length; i++)
        {
            await _served[i].DisposeAsync();
            _cards[i].Dispose();
        }
    }
}
