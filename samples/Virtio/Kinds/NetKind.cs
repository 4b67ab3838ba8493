using System.CommandLine;
using System.Text;
using VfioUser;
using VfioUser.Network;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>Network devices, joined by a switch.</summary>
internal sealed class NetKind : DeviceKind
{
    private const int Transmit = 1;

    private readonly Option<string?> _tap = new("--tap") { Description = "Joins the devices with this TAP interface of the host, which is made unless it exists." };
    private readonly Option<string?> _pcap = new("--pcap") { Description = "Writes what the devices send to this file, for tcpdump and Wireshark." };
    private readonly Option<int> _pairs = new("--queue-pairs") { Description = "Queues for each direction, of which a guest uses one for each processor.", DefaultValueFactory = _ => 1 };

    public override string Name => "net";

    public override string Description => "Serves a network device on each socket, joined by a switch.";

    public override int MaxSockets => 256;

    public override IReadOnlyList<Option> Options => [_tap, _pcap, _pairs];

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets)
    {
        NetworkSwitch middle = new();
        PcapFile? file = parsed.GetValue(_pcap) is { } path ? new PcapFile(File.Create(path)) : null;
        TapInterface? tap = null;
        List<VirtioNet> devices = [];
        try
        {
            for (int i = 0; i < sockets; i++)
            {
                VirtioNet device = new(new() { Address = new([0x52, 0x54, 0x00, 0x12, 0x01, (byte)i]), QueuePairs = parsed.GetValue(_pairs) });
                device.Plug(Recorded(middle.Connect(device)));
                devices.Add(device);
            }
            tap = parsed.GetValue(_tap) is { } name ? TapInterface.Open(name) : null;
            tap?.Plug(Recorded(middle.Connect(tap)));
        }
        catch
        {
            devices.ForEach(static device => device.Dispose());
            file?.Dispose();
            tap?.Dispose();
            throw;
        }
        if (tap is not null)
            Console.WriteLine($"The devices are joined with the interface {tap.Name}; if it is new: ip link set {tap.Name} up");
        return Task.FromResult(new ServedDevices([.. devices])
        {
            Close = () =>
            {
                tap?.Dispose();
                file?.Dispose();
                return file?.Failure is { } failure ? ValueTask.FromException(failure) : ValueTask.CompletedTask;
            },
        });

        INetworkPort Recorded(INetworkPort port) => file is null ? port : file.InFrontOf(port);
    }

    public override void Demo(TextWriter output)
    {
        NetworkSwitch middle = new();
        using VirtioNet first = new();
        using VirtioNet second = new();
        first.Plug(middle.Connect(first));
        second.Plug(middle.Connect(second));
        using TestGuest sender = TestGuest.Attach(first);
        using TestGuest receiver = TestGuest.Attach(second);
        VirtioDriverQueue transmit = VirtioDriver.Start(sender).Queues[Transmit];
        VirtioDriverQueue receive = VirtioDriver.Start(receiver).Queues[0];
        Iova buffer = receiver.Memory.Allocate(2048);
        receive.Add(new VirtioPart(buffer, 2048, writable: true));
        receive.Notify();

        // a header of 12 bytes without any work for others, and a frame to everybody
        byte[] frame = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, .. first.Address.GetAddressBytes(), 0x88, 0xB5, .. "Is anybody there?"u8];
        transmit.Request([.. new byte[12], .. frame], answerLength: 0);
        byte[] received = receiver.Memory.ReadBytes(buffer, (int)receive.Take().Written)[12..];

        if (!received.AsSpan().SequenceEqual(frame))
            throw new InvalidOperationException($"The second guest has received {Convert.ToHexString(received)}.");
        output.WriteLine($"net: a frame from one guest to another, through a switch: {Encoding.ASCII.GetString(received.AsSpan(14))}");
    }
}
