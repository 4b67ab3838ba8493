using System.Net.Sockets;

namespace VfioUser.Tool.Tests;

public class ErrorTests
{
    public static TheoryData<string> Commands => new("info", "config", "bench");

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_missing_socket_is_one_clear_line(string command)
    {
        ToolRun run = ToolRun.Of(command, "/nowhere/at/all.sock");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: Cannot connect to '/nowhere/at/all.sock': no such file").And.EndWith("\n");
        run.Error.Trim().Should().NotContain("\n");
    }

    [Theory]
    [InlineData("")]
    [InlineData("@0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    public void An_invalid_path_is_one_clear_line(string socket)
    {
        ToolRun run = ToolRun.Of("info", socket);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain("cannot be a socket's path");
    }

    [Theory]
    [InlineData("serve", "@never", "")]
    [InlineData("trace", "@never", "@never", "--record", "")]
    [InlineData("trace", "--read", "")]
    [InlineData("replay", "", "@never")]
    public void An_empty_path_of_a_file_is_one_clear_line(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Be($"vfio-user: A file's path is empty. See vfio-user {args[0]} --help.\n");
    }

    [Fact]
    public void A_refused_connection_is_one_clear_line()
    {
        using DeadServer server = new(listen: false);

        ToolRun run = ToolRun.Of("info", server.Path);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("no server listens there");
    }

    [Fact]
    public async Task A_server_that_disconnects_is_one_clear_line()
    {
        using DeadServer server = new(listen: true);
        Task hangUp = server.AcceptAndHangUp();

        ToolRun run = ToolRun.Of("info", server.Path);

        await hangUp;
        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: The server disconnected before it answered Version.\n");
    }

    [Fact]
    public void A_server_that_is_silent_is_one_clear_line()
    {
        using DeadServer server = new(listen: true);

        ToolRun run = ToolRun.Of("info", server.Path, "--server-timeout", "0.05");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("did not answer Version in time");
    }

    [Fact]
    public void A_server_that_has_another_client_is_one_clear_line()
    {
        using FakeServer server = new((header, _) => header.Command == Protocol.Command.Version ? FakeServer.Refuse(header, errno: Protocol.Errno.EBUSY) : null);

        ToolRun run = ToolRun.Of("info", server.Path);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: The server refused: another client is attached, and it serves one at a time.\n");
    }

    /// <summary>A socket behind which nobody speaks the protocol.</summary>
    private sealed class DeadServer : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

        public DeadServer(bool listen)
        {
            _socket.Bind(new UnixDomainSocketEndPoint(Path));
            if (listen)
                _socket.Listen();
        }

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"vfio-user-dead-{Guid.NewGuid():n}.sock");

        public Task AcceptAndHangUp() => Task.Run(() =>
        {
            using Socket client = _socket.Accept();
            // what it said is read, or the system would call it a reset
            client.Receive(new byte[4096]);
        });

        public void Dispose()
        {
            _socket.Dispose();
            File.Delete(Path);
        }
    }
}
