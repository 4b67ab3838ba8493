using System.Net.Sockets;
using System.Text;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public sealed class SystemdTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-systemd-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Sockets_that_systemd_passes_go_to_the_devices_of_their_names()
    {
        using ListeningSocket first = new(PathOf("first"));
        using ListeningSocket second = new(PathOf("second"));
        using Service service = new(_folder.FullName, ["left", "right"], [first, second], "right:left");
        await service.Started();

        using VfioUserClient right = VfioUserClient.Connect(first.Path);
        using VfioUserClient left = VfioUserClient.Connect(second.Path);

        // both at once: they are two devices
        Card.ReadLevel(right).Should().Be(Card.ReadLevel(left));
        (await service.Stop()).Should().Be(0, await service.Error);
    }

    [Fact]
    public async Task The_only_device_gets_the_first_socket_whatever_its_name()
    {
        using ListeningSocket socket = new(PathOf("card"));
        using Service service = new(_folder.FullName, ["card"], [socket], socketNames: null);
        await service.Started();

        using VfioUserClient client = VfioUserClient.Connect(socket.Path);

        Card.ReadLevel(client).Should().Be(new Wiring().Level);
        (await service.Stop()).Should().Be(0, await service.Error);
    }

    [Fact]
    public async Task A_client_that_connects_before_the_service_or_after_its_stop_is_served_by_the_next_one()
    {
        using ListeningSocket socket = new(PathOf("card"));
        Task<VfioUserClient> early = Task.Run(() => VfioUserClient.Connect(socket.Path, new VfioUserClientOptions { Timeout = TimeSpan.FromMinutes(2) }));
        using (Service service = new(_folder.FullName, ["card"], [socket], "card"))
        {
            using VfioUserClient client = await early;
            Card.ReadLevel(client).Should().Be(new Wiring().Level);
            (await service.Stop()).Should().Be(0, await service.Error);
        }
        File.Exists(socket.Path).Should().BeTrue("the socket is systemd's");
        Task<VfioUserClient> late = Task.Run(() => VfioUserClient.Connect(socket.Path, new VfioUserClientOptions { Timeout = TimeSpan.FromMinutes(2) }));

        using Service next = new(_folder.FullName, ["card"], [socket], "card");

        using VfioUserClient again = await late;
        Card.ReadLevel(again).Should().Be(new Wiring().Level);
        (await next.Stop()).Should().Be(0, await next.Error);
    }

    [Fact]
    public async Task Programs_that_the_service_starts_get_neither_sockets_nor_variables()
    {
        using ListeningSocket socket = new(PathOf("card"));
        using ListeningSocket unused = new(PathOf("unused"));
        using Service service = new(_folder.FullName, ["card"], [socket, unused], "card:unused");

        string[] seen = await service.Started();

        seen.Should().Contain(line => line.StartsWith("PATH=", StringComparison.Ordinal), "the environment was shown")
            .And.NotContain(line => line.StartsWith("LISTEN_", StringComparison.Ordinal))
            .And.NotContain(socket.Link).And.NotContain(unused.Link);
        (await service.Stop()).Should().Be(0, await service.Error);
    }

    [Fact]
    public async Task Sockets_for_another_process_are_left_alone()
    {
        using ListeningSocket socket = new(PathOf("card"));
        using Service service = new(_folder.FullName, ["card"], [socket], "card", forThisProcess: false);

        int exitCode = await service.Stop();

        exitCode.Should().NotBe(0);
        (await service.Error).Should().Contain("Device 'card' (VfioUser.Hosting.Tests.Card) cannot be served")
            .And.Contain("nor has systemd passed a socket of that name");
    }

    [Fact]
    public async Task One_of_several_devices_gets_no_socket_of_another_name()
    {
        using ListeningSocket socket = new(PathOf("card"));
        using Service service = new(_folder.FullName, ["left", "right"], [socket], "card");

        int exitCode = await service.Stop();

        exitCode.Should().NotBe(0);
        (await service.Error).Should().Contain("Device 'left'");
    }

    [Fact]
    public async Task Systemd_is_notified_of_start_and_stop()
    {
        using ListeningSocket socket = new(PathOf("card"));
        using Socket notifications = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        notifications.Bind(new UnixDomainSocketEndPoint(PathOf("notify")));
        using Service service = new(_folder.FullName, ["card"], [socket], "card", PathOf("notify"));

        await service.Started();
        int exitCode = await service.Stop();

        exitCode.Should().Be(0, await service.Error);
        Received(notifications).Should().Equal($"STATUS=Serving card on {socket.Path}", "READY=1", "STOPPING=1");
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    // what a process that has ended had sent
    private static List<string> Received(Socket socket)
    {
        List<string> messages = [];
        byte[] buffer = new byte[4096];
        while (socket.Available > 0)
            messages.Add(Encoding.UTF8.GetString(buffer.AsSpan(0, socket.Receive(buffer))));
        return messages;
    }
}
