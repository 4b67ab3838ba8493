using System.Net.Sockets;
using System.Runtime.Versioning;

namespace VfioUser.Tests.Serving;

/// <summary>Where a server listens.</summary>
[SupportedOSPlatform("linux")]
public sealed class SocketFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    private string SocketPath => Path.Combine(_folder, "device.sock");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void LeaveStaleFile() => SocketFiles.Abandon(SocketPath);

    [Fact]
    public void A_client_attaches_by_path_and_the_server_deletes_the_file()
    {
        VfioUserServer server = VfioUserServer.Bind(SocketPath);
        server.Address.Should().Be(SocketPath);
        Task running = server.RunAsync(new ProbeDevice());
        using (RawClient client = RawClient.Connect(SocketPath))
        {
            Served.Negotiate(client);
            client.ShouldBeServed();
        }

        server.Dispose();

        running.ShouldEnd();
        File.Exists(SocketPath).Should().BeFalse();
    }

    [Fact]
    public void The_file_of_a_server_that_has_ended_is_replaced()
    {
        LeaveStaleFile();
        File.Exists(SocketPath).Should().BeTrue();

        using VfioUserServer server = VfioUserServer.Bind(SocketPath);

        Task running = server.RunAsync(new ProbeDevice());
        using (RawClient client = RawClient.Connect(SocketPath))
            Served.Negotiate(client);
        server.Dispose();
        running.ShouldEnd();
    }

    [Fact]
    public void A_live_server_is_an_error_and_lives_on()
    {
        using VfioUserServer first = VfioUserServer.Bind(SocketPath);
        Task running = first.RunAsync(new ProbeDevice());

        FluentActions.Invoking(() => VfioUserServer.Bind(SocketPath)).Should().Throw<IOException>().WithMessage("*listening*already*");

        using (RawClient client = RawClient.Connect(SocketPath))
        {
            Served.Negotiate(client);
            client.ShouldBeServed();
        }
        first.Dispose();
        running.ShouldEnd();
    }

    [Fact]
    public void A_live_server_with_a_queue_of_clients_is_an_error_too()
    {
        using VfioUserServer first = VfioUserServer.Bind(SocketPath); // it does not run, so nobody is let in
        List<Socket> waiting = [];
        try
        {
            bool full = false;
            while (!full)
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
                waiting.Add(socket);
                try
                {
                    socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
                }
                catch (SocketException)
                {
                    full = true;
                }
            }

            // asking whether a server lives must not wait for it
            Wait.Start(() => VfioUserServer.Bind(SocketPath)).ShouldFail<IOException>();
        }
        finally
        {
            waiting.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public void A_regular_file_is_an_error_and_stays()
    {
        File.WriteAllText(SocketPath, "precious");

        FluentActions.Invoking(() => VfioUserServer.Bind(SocketPath)).Should().Throw<IOException>().WithMessage("*not a socket*");

        File.ReadAllText(SocketPath).Should().Be("precious");
    }

    [Fact]
    public void A_folder_and_a_path_to_nowhere_are_errors()
    {
        FluentActions.Invoking(() => VfioUserServer.Bind(_folder)).Should().Throw<IOException>();
        FluentActions.Invoking(() => VfioUserServer.Bind(Path.Combine(_folder, "no", "such.sock"))).Should().Throw<IOException>()
            .WithMessage("*there is no folder*no'.");
        Directory.Exists(_folder).Should().BeTrue();
    }

    [Fact]
    public void A_name_that_is_too_long_or_empty_is_an_error()
    {
        FluentActions.Invoking(() => VfioUserServer.Bind(Path.Combine(_folder, new string('x', 108)))).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => VfioUserServer.BindAbstract(new string('x', 108))).Should().Throw<ArgumentException>().WithMessage("*at most 107 bytes*has 108*");
        FluentActions.Invoking(() => VfioUserServer.Bind("")).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => VfioUserServer.BindAbstract("")).Should().Throw<ArgumentException>();
    }

    [Theory]
    [InlineData(null, UnixFileMode.UserRead | UnixFileMode.UserWrite)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite,
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.None, UnixFileMode.None)]
    public void The_files_mode_is_0600_unless_asked_otherwise(UnixFileMode? asked, UnixFileMode expected)
    {
        VfioUserServerOptions options = new();
        using VfioUserServer server = VfioUserServer.Bind(SocketPath, asked is null ? options : options with { SocketMode = asked.Value });

        File.GetUnixFileMode(SocketPath).Should().Be(expected);
    }

    [Fact]
    public void A_server_that_was_disposed_before_leaves_its_successors_file_alone()
    {
        VfioUserServer first = VfioUserServer.Bind(SocketPath);
        first.Dispose();
        using VfioUserServer second = VfioUserServer.Bind(SocketPath);

        first.Dispose();

        File.Exists(SocketPath).Should().BeTrue();
    }

    [Fact]
    public void An_abstract_name_has_no_file_and_is_free_again_afterwards()
    {
        string name = $"vfio-user-test-{Guid.NewGuid():N}";
        VfioUserServer first = VfioUserServer.BindAbstract(name);
        first.Address.Should().Be("@" + name);
        FluentActions.Invoking(() => VfioUserServer.BindAbstract(name)).Should().Throw<IOException>();

        first.Dispose();

        using VfioUserServer second = VfioUserServer.BindAbstract(name);
        File.Exists(name).Should().BeFalse();
    }

    [Fact]
    public void A_connected_socket_serves_one_client_and_then_the_run_ends()
    {
        ProbeDevice device = new();
        (SafeSocketHandle ours, SafeSocketHandle theirs) = Protocol.Interop.SocketCalls.CreatePair();
        using VfioUserServer server = VfioUserServer.FromConnected(ours);
        Task running = server.RunAsync(device);

        using (RawClient client = new(theirs))
        {
            Served.Negotiate(client);
            client.ShouldBeServed();
            running.IsCompleted.Should().BeFalse();
        }

        running.ShouldEnd();
        ours.IsClosed.Should().BeTrue();
        device.Diary.Should().Equal("attached", "detached");
    }

    [Fact]
    public void A_connected_socket_that_was_not_served_is_closed_with_the_server()
    {
        (SafeSocketHandle ours, SafeSocketHandle theirs) = Protocol.Interop.SocketCalls.CreatePair();
        using RawClient client = new(theirs);

        VfioUserServer.FromConnected(ours).Dispose();

        client.ShouldHearTheEnd();
    }
}
