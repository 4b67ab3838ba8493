using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>What docs/polling.md shows.</summary>
public sealed class DocumentedLoopTests
{
    [Fact]
    public void An_event_loop_serves_until_the_server_is_disposed()
    {
        Loop loop = new();
        using var server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = Wait.Start(() =>
        {
            using DevicePoller poller = server.CreatePoller(new ProbeDevice());
            while ((poller.Process().Events & PollEvents.Ended) == 0)
                loop.WaitReadable(poller.Handle);
        });

        using (RawClient client = RawClient.Connect(server.Address))
        {
            Served.Negotiate(client);
            client.ShouldBeServed();
        }
        server.Dispose();

        running.ShouldGive();
    }

    [Fact]
    public async Task A_host_adds_reports_and_removes()
    {
        string folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;
        HostedDevice card;
        HostedDevice other;
        await using (VfioUserHost host = new())
        {
            card = host.Add(new ProbeDevice(), Path.Combine(folder, "card.sock"));
            other = host.Add(new ProbeDevice(), Path.Combine(folder, "other.sock"));
            $"{card.State}, {card.SessionCount} clients so far".Should().Be("Listening, 0 clients so far");
            await card.RemoveAsync();
            other.State.Should().Be(ServingState.Listening);
        }

        card.State.Should().Be(ServingState.Ended);
        other.State.Should().Be(ServingState.Ended);
        Directory.Delete(folder); // no socket file is left
    }

    private sealed class Loop
    {
        private readonly TimeSpan _bound = Wait.Bound;

        public void WaitReadable(SafeHandle handle) => PollCalls.WaitReadable(handle, (int)_bound.TotalMilliseconds).Should().BeTrue();
    }
}
