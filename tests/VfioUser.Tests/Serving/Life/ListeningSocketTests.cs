using System.Net.Sockets;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Polling;

namespace VfioUser.Tests.Serving;

/// <summary>A server on a socket that somebody else has made and keeps.</summary>
public sealed class ListeningSocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private string SocketPath => Path.Combine(_folder, "device.sock");

    public void Dispose()
    {
        _socket.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void One_server_after_another_serves_the_clients_of_a_socket(ServedBy by)
    {
        Listen();
        for (int i = 0; i < 3; i++)
        {
            VfioUserServer server = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle));
            server.Address.Should().Be(SocketPath);
            Task running = by == ServedBy.OwnThread ? server.RunAsync(new ProbeDevice()) : Polled.RunAsync(server, new ProbeDevice());
            using (RawClient client = RawClient.Connect(SocketPath))
            {
                Served.Negotiate(client);
                client.ShouldBeServed();
            }

            server.Dispose();

            running.ShouldEnd();
            File.Exists(SocketPath).Should().BeTrue();
        }
    }

    [Fact]
    public void A_client_that_connects_between_servers_is_served_by_the_next()
    {
        Listen();
        using (VfioUserServer gone = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle)))
        {
            Task run = gone.RunAsync(new ProbeDevice());
            gone.Dispose();
            run.ShouldEnd();
        }
        using RawClient client = RawClient.Connect(SocketPath);

        using VfioUserServer server = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle));
        Task running = server.RunAsync(new ProbeDevice());

        Served.Negotiate(client);
        client.ShouldBeServed();
        client.Dispose();
        server.Dispose();
        running.ShouldEnd();
    }

    [Fact]
    public void A_run_that_is_cancelled_leaves_the_server_to_the_next_run()
    {
        Listen();
        using VfioUserServer server = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle));
        using CancellationTokenSource stop = new();
        Task run = server.RunAsync(new ProbeDevice(), stop.Token);

        stop.Cancel();

        run.ShouldEnd();
        Task next = server.RunAsync(new ProbeDevice());
        using RawClient client = RawClient.Connect(SocketPath);
        Served.Negotiate(client);
        server.Dispose();
        next.ShouldEnd();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_socket_that_its_maker_shuts_down_ends_the_run(ServedBy by)
    {
        Listen();
        using VfioUserServer server = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle));
        Task running = by == ServedBy.OwnThread ? server.RunAsync(new ProbeDevice()) : Polled.RunAsync(server, new ProbeDevice());

        SocketCalls.Shutdown(_socket.SafeHandle);

        // a poller tells its log why it has ended, a run its task
        Action end = () => running.WaitAsync(TimeSpan.FromMinutes(2)).GetAwaiter().GetResult();
        if (by == ServedBy.OwnThread)
            end.Should().Throw<SocketException>();
        else
            end.Should().NotThrow();
    }

    [Fact]
    public void An_abstract_socket_has_its_name_as_the_address()
    {
        string name = $"vfio-user-test-{Guid.NewGuid():N}";
        _socket.Bind(new UnixDomainSocketEndPoint("\0" + name));
        _socket.Listen();

        using VfioUserServer server = VfioUserServer.FromListening(SocketCalls.Duplicate(_socket.SafeHandle));

        server.Address.Should().Be("@" + name);
    }

    [Fact]
    public void A_socket_that_does_not_listen_is_refused_and_stays_the_callers()
    {
        _socket.Bind(new UnixDomainSocketEndPoint(SocketPath));

        Action serve = () => VfioUserServer.FromListening(_socket.SafeHandle);

        serve.Should().Throw<ArgumentException>();
        _socket.SafeHandle.IsClosed.Should().BeFalse();
    }

    private void Listen()
    {
        _socket.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _socket.Listen();
    }
}
