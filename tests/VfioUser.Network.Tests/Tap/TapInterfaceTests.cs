using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Network.Tests;

public sealed class TapInterfaceTests : IDisposable
{
    private const int Port = 9; // discard
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private static readonly byte[] NoOffload = new byte[10];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tap-");

    [Fact]
    public async Task Frames_go_both_ways_whole()
    {
        using Socket host = DatagramSocket("host");
        using Socket ours = DatagramSocket("ours");
        await host.ConnectAsync(ours.LocalEndPoint!);
        await ours.ConnectAsync(host.LocalEndPoint!);
        ours.Blocking = false;
        using TapInterface tap = new(new SafeFileHandle(ours.Handle, ownsHandle: false), "tap0");
        NextFrame behind = new();
        byte[] frame = Frames.To(Frames.Peer, 1514);

        tap.Plug(behind);
        await host.SendAsync((byte[])[.. NoOffload, .. frame]);
        tap.Send(new NetworkFrame(frame));

        (await behind.Frame.WaitAsync(Timeout)).Should().Equal(frame);
        byte[] arrived = new byte[2000];
        int length = await host.ReceiveAsync(arrived);
        arrived[..length].Should().Equal([.. NoOffload, .. frame]);
    }

    [Fact]
    public async Task Work_that_a_frame_leaves_goes_with_it_both_ways()
    {
        using Socket host = DatagramSocket("host");
        using Socket ours = DatagramSocket("ours");
        await host.ConnectAsync(ours.LocalEndPoint!);
        await ours.ConnectAsync(host.LocalEndPoint!);
        ours.Blocking = false;
        using TapInterface tap = new(new SafeFileHandle(ours.Handle, ownsHandle: false), "tap0");
        CollectingPort behind = new(PortOffloads.All);
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, payload: 60_000), segmentSize: 1448);
        byte[] header = [1, 1, 54, 0, 0xA8, 5, 34, 0, 16, 0]; // checksum and segments of TCP over IPv4 to be made

        tap.Plug(behind);
        await host.SendAsync((byte[])[.. header, .. bytes]);
        new NetworkFrame(bytes, offload).SendTo(tap);

        behind.WaitFor(1);
        behind.Sent[0].Should().BeEquivalentTo((bytes, offload));
        byte[] arrived = new byte[70_000];
        int length = await host.ReceiveAsync(arrived);
        arrived[..length].Should().Equal([.. header, .. bytes]);
    }

    [Fact]
    public async Task Frames_of_the_host_that_are_none_are_dropped()
    {
        using Socket host = DatagramSocket("host");
        using Socket ours = DatagramSocket("ours");
        await host.ConnectAsync(ours.LocalEndPoint!);
        ours.Blocking = false;
        using TapInterface tap = new(new SafeFileHandle(ours.Handle, ownsHandle: false), "tap0");
        CollectingPort behind = new(PortOffloads.All);
        byte[] frame = Frames.To(Frames.Peer);
        tap.Plug(behind);

        await host.SendAsync(new byte[9]);
        await host.SendAsync((byte[])[.. NoOffload, .. frame[..13]]);
        await host.SendAsync((byte[])[0, 3, 0, 0, 0, 0, 0, 0, 0, 0, .. frame]); // UFO, which nobody has asked for
        await host.SendAsync((byte[])[1, 0, 0, 0, 0, 0, 98, 0, 1, 0, .. frame]); // a checksum behind the end
        await host.SendAsync((byte[])[.. NoOffload, .. frame]);

        behind.WaitFor(1).Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public async Task A_host_that_does_not_read_loses_frames_and_holds_nobody_up()
    {
        using Socket host = DatagramSocket("host");
        using Socket ours = DatagramSocket("ours");
        await ours.ConnectAsync(host.LocalEndPoint!);
        ours.Blocking = false;
        using TapInterface tap = new(new SafeFileHandle(ours.Handle, ownsHandle: false), "tap0");

        for (int i = 0; i < 10_000; i++)
            tap.Send(new NetworkFrame(Frames.To(Frames.Peer, 1514)));

        host.Poll(0, SelectMode.SelectRead).Should().BeTrue("the first ones are there");
        tap.Dropped.Should().BePositive();
    }

    [Fact]
    public async Task Completion_fails_when_the_interface_is_gone()
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "listener")));
        listener.Listen();
        using Socket ours = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        await ours.ConnectAsync(listener.LocalEndPoint!);
        Socket host = await listener.AcceptAsync();
        ours.Blocking = false;
        using TapInterface tap = new(new SafeFileHandle(ours.Handle, ownsHandle: false), "tap0");
        tap.Plug(new CollectingPort());

        host.Dispose();

        await ((Func<Task>)(() => tap.Completion.WaitAsync(Timeout))).Should().ThrowAsync<IOException>();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a-name-that-is-too-long")]
    [InlineData("ääääääää")]
    public void A_name_that_none_can_have_is_refused(string name) => FluentActions.Invoking(() => TapInterface.Open(name)).Should().Throw<ArgumentException>();

    [TapFact]
    public async Task A_real_interface_joins_the_host_with_whoever_is_behind()
    {
        using TapInterface tap = TapInterface.Open("vutest%d");
        // an address range for tests, RFC 2544
        IPAddress own = IPAddress.Parse("198.18.213.1");
        IPAddress peer = IPAddress.Parse("198.18.213.2");
        Ip($"address add {own}/30 dev {tap.Name}");
        Ip($"link set {tap.Name} up");
        Ip($"neighbour replace {peer} lladdr {Colons(Frames.Peer)} dev {tap.Name} nud permanent");
        PhysicalAddress host = PhysicalAddress.Parse((await File.ReadAllTextAsync($"/sys/class/net/{tap.Name}/address")).Trim());
        using UdpClient socket = new(new IPEndPoint(own, 0));
        int hostPort = ((IPEndPoint)socket.Client.LocalEndPoint!).Port;
        NextFrame behind = new(frame => frame.Length > 42 && frame[12] == 8 && frame[23] == 17 && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(36)) == Port);
        tap.Plug(behind);

        await socket.SendAsync("to the guest"u8.ToArray(), new IPEndPoint(peer, Port));
        byte[] frame = await behind.Frame.WaitAsync(Timeout);
        tap.Send(new NetworkFrame(Udp(frame, host, (ushort)hostPort, "to the host"u8)));

        frame[..6].Should().Equal(Frames.Peer.GetAddressBytes());
        frame[6..12].Should().Equal(host.GetAddressBytes());
        Encoding.ASCII.GetString(frame, 42, frame.Length - 42).Should().Be("to the guest");
        UdpReceiveResult arrived = await socket.ReceiveAsync().WaitAsync(Timeout);
        arrived.RemoteEndPoint.Address.Should().Be(peer);
        Encoding.ASCII.GetString(arrived.Buffer).Should().Be("to the host");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private Socket DatagramSocket(string name)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, name)));
        return socket;
    }

    // the answer to a frame: addresses and ports swapped, without a checksum of UDP
    private static byte[] Udp(byte[] frame, PhysicalAddress destination, ushort port, ReadOnlySpan<byte> data)
    {
        byte[] ip = [0x45, 0, 0, (byte)(28 + data.Length), 0, 0, 0, 0, 64, 17, 0, 0, .. frame[30..34], .. frame[26..30]];
        BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(10), (ushort)~InternetChecksum.Sum(ip));
        byte[] udp = [0, Port, (byte)(port >> 8), (byte)port, 0, (byte)(8 + data.Length), 0, 0];
        return [.. destination.GetAddressBytes(), .. frame[..6], 8, 0, .. ip, .. udp, .. data];
    }

    private static string Colons(PhysicalAddress address) => BitConverter.ToString(address.GetAddressBytes()).Replace('-', ':');

    private static void Ip(string arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        errors.Should().BeEmpty();
        process.ExitCode.Should().Be(0);
    }

    private sealed class NextFrame(Predicate<byte[]>? wanted = null) : INetworkPort
    {
        private readonly TaskCompletionSource<byte[]> _frame = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<byte[]> Frame => _frame.Task;

        public void Send(in NetworkFrame frame)
        {
            if (frame.Head.ToArray() is var copy && wanted?.Invoke(copy) != false)
                _frame.TrySetResult(copy);
        }
    }

    /// <summary>A test that makes a TAP interface. Skipped where that is not allowed.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class TapFactAttribute : FactAttribute
    {
        public TapFactAttribute()
        {
            try
            {
                TapInterface.Open("vutest%d").Dispose();
                if (!Environment.GetEnvironmentVariable("PATH")!.Split(':').Append("/usr/sbin").Any(folder => File.Exists(Path.Combine(folder, "ip"))))
                    Skip = "There is no program 'ip'.";
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Skip = $"A TAP interface cannot be made here: {e.Message}";
            }
        }
    }
}
