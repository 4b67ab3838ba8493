using System.Runtime.InteropServices;
using VfioUser.Client;

namespace VfioUser.Docs.Tests.Polling;

/// <summary>The snippets of <c>docs/polling.md</c>.</summary>
public sealed class PollingGuideTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    [Fact]
    public async Task An_event_loop_serves_clients_until_the_server_is_disposed()
    {
        string path = Path.Combine(_folder.FullName, "card.sock");
        using var server = VfioUserServer.Bind(path);
        Task serving = Task.Factory.StartNew(() => Serve(server, new Loop()), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        using (VfioUserClient client = VfioUserClient.Connect(path))
            client.GetDeviceInfo().RegionCount.Should().Be(9);
        server.Dispose();

        await serving.WaitAsync(Timeout);
    }

    [Fact]
    public async Task A_host_serves_several_devices()
    {
        string path1 = Path.Combine(_folder.FullName, "card.sock");
        string path2 = Path.Combine(_folder.FullName, "other.sock");

        await using VfioUserHost host = new();
        HostedDevice card = host.Add(new Card(), path1);
        HostedDevice other = host.Add(new Card(), path2);
        Console.WriteLine($"{card.Address}: {card.State}, {card.SessionCount} clients so far");
        await card.RemoveAsync();

        host.Devices.Should().Equal(other);
        File.Exists(path1).Should().BeFalse();
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static void Serve(VfioUserServer server, Loop loop)
    {
        using DevicePoller poller = server.CreatePoller(new Card());
        while ((poller.Process().Events & PollEvents.Ended) == 0)
            loop.WaitReadable(poller.Handle);
    }

    // Somebody's event loop. This one never sleeps.
    private sealed class Loop
    {
        private SafeHandle? _watched;

        public void WaitReadable(SafeHandle handle)
        {
            handle.Should().BeSameAs(_watched ??= handle, "it is the same one from beginning to end");
            Thread.Yield();
        }
    }
}
