using System.Net.Sockets;
using System.Runtime.Versioning;

namespace VfioUser.Tests.Serving;

/// <summary>Whose a socket's file is, from its first moment to its last.</summary>
[SupportedOSPlatform("linux")]
public sealed class SocketFileOwnershipTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    private string SocketPath => Path.Combine(_folder, "device.sock");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_server_leaves_its_successors_file_alone(bool renamed)
    {
        using VfioUserServer first = VfioUserServer.Bind(SocketPath);
        if (renamed)
            File.Move(SocketPath, SocketPath + ".old");
        else
            File.Delete(SocketPath);
        using VfioUserServer second = VfioUserServer.Bind(SocketPath);
        Task running = second.RunAsync(new ProbeDevice());

        first.Dispose();

        using (RawClient client = RawClient.Connect(SocketPath))
            Served.Negotiate(client);
        second.Dispose();
        running.ShouldEnd();
        File.Exists(SocketPath).Should().BeFalse();
    }

    [Fact]
    public void A_file_that_was_put_in_its_place_stays()
    {
        VfioUserServer server = VfioUserServer.Bind(SocketPath);
        File.Delete(SocketPath);
        File.WriteAllText(SocketPath, "precious");

        server.Dispose();

        File.ReadAllText(SocketPath).Should().Be("precious");
    }

    [Fact]
    public void A_client_that_waits_for_the_file_is_never_refused_and_never_sees_another_mode()
    {
        for (int i = 0; i < 300; i++)
        {
            Task waiting = Wait.Start(() =>
            {
                while (!File.Exists(SocketPath))
                {
                }
                File.GetUnixFileMode(SocketPath).Should().Be(OwnerOnly);
                using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
            });
            using VfioUserServer server = VfioUserServer.Bind(SocketPath);
            waiting.ShouldGive();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_several_servers_that_start_at_once_one_gets_the_path_and_the_others_throw(bool abandoned)
    {
        for (int round = 0; round < 40; round++)
        {
            if (abandoned)
                SocketFiles.Abandon(SocketPath);
            using Barrier together = new(4);
            Task<VfioUserServer?>[] starting = [.. Enumerable.Range(0, 4).Select(_ => Wait.Start(() =>
            {
                together.SignalAndWait();
                try
                {
                    return VfioUserServer.Bind(SocketPath);
                }
                catch (IOException)
                {
                    return null;
                }
            }))];
            Task.WhenAll(starting).ShouldGive();
            List<VfioUserServer> winners = [.. starting.Select(start => start.Result).OfType<VfioUserServer>()];

            winners.Should().ContainSingle();

            Directory.GetFileSystemEntries(_folder).Should().Equal(SocketPath);
            Task running = winners[0].RunAsync(new ProbeDevice());
            using (RawClient client = RawClient.Connect(SocketPath))
                Served.Negotiate(client);
            winners[0].Dispose();
            running.ShouldEnd();
            Directory.GetFileSystemEntries(_folder).Should().BeEmpty();
        }
    }

    [Theory]
    [InlineData(90)]
    [InlineData(98)]
    [InlineData(99)]
    [InlineData(106)]
    [InlineData(107)]
    public void A_path_may_have_the_length_of_a_socket_address(int length)
    {
        // a short name in a long folder: there is no room beside it
        string folder = Path.Combine(_folder, new string('x', length - _folder.Length - 3));
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "s");
        path.Length.Should().Be(length);
        SocketFiles.Abandon(path);
        using VfioUserServer server = VfioUserServer.Bind(path);
        Task running = server.RunAsync(new ProbeDevice());

        using (RawClient client = RawClient.Connect(path))
            Served.Negotiate(client);

        server.Dispose();
        running.ShouldEnd();
        Directory.GetFileSystemEntries(folder).Should().BeEmpty();
    }

    [Fact]
    public void A_server_that_cannot_listen_leaves_nothing_behind()
    {
        using VfioUserServer server = VfioUserServer.Bind(SocketPath);

        FluentActions.Invoking(() => VfioUserServer.Bind(SocketPath)).Should().Throw<IOException>();
        FluentActions.Invoking(() => VfioUserServer.Bind(_folder)).Should().Throw<IOException>();

        Directory.GetFileSystemEntries(_folder).Should().Equal(SocketPath);
    }

    [Fact]
    public void A_link_that_leads_nowhere_is_an_error_and_stays()
    {
        File.CreateSymbolicLink(SocketPath, Path.Combine(_folder, "nowhere"));

        FluentActions.Invoking(() => VfioUserServer.Bind(SocketPath)).Should().Throw<IOException>();

        new FileInfo(SocketPath).LinkTarget.Should().NotBeNull();
    }
}
