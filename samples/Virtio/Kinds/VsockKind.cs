using System.CommandLine;
using System.Net.Sockets;
using VfioUser;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>Sockets between host and guest, with UNIX sockets at the host's end.</summary>
internal sealed class VsockKind : DeviceKind
{
    private readonly Option<uint> _cid = new("--cid") { Description = "The guest's address, from 3.", DefaultValueFactory = _ => 3 };

    private readonly Option<string> _unix = new("--unix")
    {
        Description = "PATH: where programs of the host connect, and send CONNECT port. The guest's connections to port N go to PATH_N.",
        Required = true,
    };

    public override string Name => "vsock";

    public override string Description => "Serves sockets between host and guest: AF_VSOCK.";

    public override IReadOnlyList<Option> Options => [_cid, _unix];

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets)
    {
        VirtioVsock device = new(new() { GuestCid = parsed.GetValue(_cid) });
        string path = parsed.GetRequiredValue(_unix);
        try
        {
            VsockUnixSockets unix = new(device, path);
            return Task.FromResult(new ServedDevices(device) { Close = unix.DisposeAsync });
        }
        catch (SocketException e)
        {
            device.Dispose();
            throw new IOException($"{path}: {e.Message}", e);
        }
    }

    public override void Demo(TextWriter output)
    {
        using VirtioVsock device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        Iova packet = guest.Memory.Allocate(44);
        driver.Queues[0].Add(new VirtioPart(packet, 44, writable: true));
        driver.Queues[0].Notify();

        _ = device.ConnectAsync(port: 22).AsTask();
        driver.Queues[0].Take();

        output.WriteLine($"vsock: the guest is asked for a connection to its port {guest.Memory.Read<uint>(packet + 20)}");
    }
}
