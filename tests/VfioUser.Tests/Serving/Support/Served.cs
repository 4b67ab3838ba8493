using VfioUser.Protocol;
using VfioUser.Tests.Polling;

namespace VfioUser.Tests.Serving;

/// <summary>A device behind a server that takes one raw client after another.</summary>
internal sealed class Served : IDisposable
{
    /// <summary>What QEMU 11.1 proposes, byte for byte.</summary>
    public const string QemuProposal =
        """{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}""";

    public const string TwinProposal = """{"capabilities": {"max_msg_fds": 16, "twin_socket": {"supported": true}}}""";

    private Served(ServedBy by, ProbeDevice device, VfioUserServerOptions options)
    {
        Device = device;
        Server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", options with { Logger = Log });
        Running = by == ServedBy.OwnThread ? Server.RunAsync(device) : Polled.RunAsync(Server, device);
    }

    public ProbeDevice Device { get; }

    public VfioUserServer Server { get; }

    /// <summary>Ends when the server does.</summary>
    public Task Running { get; }

    public CapturedLog Log { get; } = new();

    public static Served Start(VfioUserServerOptions? options = null) => Start(new ProbeDevice(), options);

    public static Served Start(ProbeDevice device, VfioUserServerOptions? options = null) =>
        Start(ServedBy.OwnThread, device, options);

    public static Served Start(ServedBy by, ProbeDevice device, VfioUserServerOptions? options = null) =>
        new(by, device, options ?? new VfioUserServerOptions());

    /// <summary>A client that has not said a word.</summary>
    public RawClient Connect() => RawClient.Connect(Server.Address);

    /// <summary>A client that has negotiated.</summary>
    public RawClient Attach(string proposal = QemuProposal)
    {
        RawClient client = Connect();
        Negotiate(client, proposal);
        return client;
    }

    public static void Negotiate(RawClient client, string proposal = QemuProposal)
    {
        RawReply reply = client.Ask(Command.Version, Version(0, 0, proposal));
        reply.ShouldBegin<ProtocolVersion>(out _).Should().Be(new ProtocolVersion(0, 0));
        if (reply.Fds is not null)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle twin = reply.Fds.Take(0);
            client.Twin = new RawClient(Protocol.Interop.SocketCalls.Duplicate(twin));
        }
    }

    /// <summary>The payload of a proposal.</summary>
    public static byte[] Version(ushort major, ushort minor, string json) =>
        RawClient.Bytes(new ProtocolVersion(major, minor), [.. System.Text.Encoding.UTF8.GetBytes(json), 0]);

    public void Dispose()
    {
        Server.Dispose();
        Running.ShouldEnd();
        Log.Failures.Should().BeEmpty("no client should bring out a failure of this side");
    }
}
