using System.Net.Sockets;
using System.Text;

namespace VfioUser.Virtio.Tests;

public sealed class VsockUnixSocketsTests : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vsock-");
    private readonly VirtioVsock _device = new(new() { GuestCid = 42 });
    private readonly VsockUnixSockets _sockets;
    private readonly TestGuest _guest;
    private readonly VsockDriver _driver;

    public VsockUnixSocketsTests()
    {
        _sockets = new VsockUnixSockets(_device, PathOf());
        _guest = TestGuest.Attach(_device);
        _driver = new VsockDriver(_guest);
    }

    public async ValueTask DisposeAsync()
    {
        await _sockets.DisposeAsync();
        File.Exists(PathOf()).Should().BeFalse();
        _guest.Dispose();
        _device.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Program_of_the_host_is_connected_with_a_port_of_the_guest()
    {
        using Socket client = await Connect(PathOf());
        await client.SendAsync("CONNECT 22\nhello"u8.ToArray());

        _driver.Receive().Should().Be("Request 1073741824>22");
        _driver.Send(VsockOperation.Response, 1073741824, 22);

        (await Read(client, 14)).Should().Be("OK 1073741824\n");
        _driver.Receive().Should().Be("ReadWrite 1073741824>22 hello");
        _driver.Send(VsockOperation.ReadWrite, 1073741824, 22, "answer"u8);
        (await Read(client, 6)).Should().Be("answer");
        client.Shutdown(SocketShutdown.Send);
        _driver.Receive().Should().Be("Shutdown 1073741824>22");
        _driver.Last.Flags.Should().Be(VsockShutdown.Send);
        _driver.Send(_driver.Header(VsockOperation.Shutdown, 1073741824, 22) with { Flags = VsockShutdown.Both });
        (await client.ReceiveAsync(new byte[1]).WaitAsync(Timeout)).Should().Be(0);
    }

    [Fact]
    public async Task Program_of_the_guest_is_connected_with_the_socket_of_its_port()
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(PathOf("_80")));
        listener.Listen();

        _driver.Send(VsockOperation.Request, 80, 7);
        _driver.Receive().Should().Be("Response 80>7");
        using Socket server = await listener.AcceptAsync().WaitAsync(Timeout);
        _driver.Send(VsockOperation.ReadWrite, 80, 7, "GET"u8);
        (await Read(server, 3)).Should().Be("GET");
        await server.SendAsync("200"u8.ToArray());
        _driver.Receive().Should().Be("ReadWrite 80>7 200");
        server.Dispose();

        _driver.Receive().Should().Be("Shutdown 80>7");
    }

    [Fact]
    public void Port_without_a_socket_is_reset()
    {
        _driver.Send(VsockOperation.Request, 81, 7);
        _driver.Receive().Should().Be("Reset 81>7");

        File.WriteAllText(PathOf("_82"), "no socket");
        _driver.Send(VsockOperation.Request, 82, 7);
        string first = _driver.Receive();
        (first.StartsWith("Response", StringComparison.Ordinal) ? _driver.Receive() : first).Should().Be("Reset 82>7");
    }

    [Theory]
    [InlineData("CONNECT\n")]
    [InlineData("CONNECT -1\n")]
    [InlineData("CONNECT 4294967296\n")]
    [InlineData("GET / HTTP/1.1\n")]
    [InlineData("CONNECT 00000000000000000000000000000022\n")]
    public async Task Wrong_line_closes_the_connection(string line)
    {
        using Socket client = await Connect(PathOf());
        await client.SendAsync(Encoding.ASCII.GetBytes(line));

        (await Ended(client)).Should().BeTrue();
        _device.Connections.Should().Be(0);
    }

    [Fact]
    public async Task Connection_that_the_guest_refuses_is_closed()
    {
        using Socket client = await Connect(PathOf());
        await client.SendAsync("CONNECT 22\n"u8.ToArray());

        _driver.Receive();
        _driver.Send(VsockOperation.Reset, 1073741824, 22);

        (await Ended(client)).Should().BeTrue();
    }

    private static async Task<bool> Ended(Socket client)
    {
        try
        {
            return await client.ReceiveAsync(new byte[1]).WaitAsync(Timeout) == 0;
        }
        catch (SocketException)
        {
            return true; // it had sent more than was read
        }
    }

    private static async Task<Socket> Connect(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    private static async Task<string> Read(Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        await new NetworkStream(socket).ReadExactlyAsync(bytes).AsTask().WaitAsync(Timeout);
        return Encoding.ASCII.GetString(bytes);
    }

    private string PathOf(string end = "") => Path.Combine(_folder.FullName, "v" + end);
}
