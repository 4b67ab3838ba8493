using Microsoft.Extensions.Logging;
using VfioUser.Tests.Polling;

namespace VfioUser.Tests.Serving;

/// <summary>What happens once in a while, ten thousand times.</summary>
[Trait("Category", "Long")]
[Collection(OpenFds.Name)]
public class ManyTimesTests
{
    private const int Times = 10_000;

    // by the names that the kernel has: threads of the pool come and go as they like
    private static int Threads() => Directory.GetDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).StartsWith("vfio-user", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    });

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Clients_that_leave_as_soon_as_they_have_come(ServedBy by)
    {
        int threads = Threads();
        using ProbeDevice device = new();
        using (Served warm = Served.Start(by, device))
            warm.Attach().Dispose();
        OpenFds before = OpenFds.Now();
        using (Served served = Served.Start(by, device))
        {
            served.Log.Level = LogLevel.Warning;
            byte[] proposal = RawClient.Message(1, Protocol.Command.Version, Served.Version(0, 0, Served.QemuProposal));
            for (int i = 0; i < Times; i++)
            {
                using RawClient client = served.Connect();
                // some say a word, or half of one, before they go
                if (i % 4 == 1)
                    client.SayBytes(proposal);
                else if (i % 4 == 2)
                    client.SayBytes(proposal.AsSpan(0, 20));
            }

            using RawClient last = served.Attach();
            last.ShouldBeServed();
        }

        before.More().Should().BeEmpty();
        Threads().Should().BeLessThanOrEqualTo(threads);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Servers_that_are_disposed_while_they_wait_for_a_client(ServedBy by)
    {
        int threads = Threads();
        string name = $"vfio-user-test-{Guid.NewGuid():N}";
        using ProbeDevice device = new();
        Once();
        OpenFds before = OpenFds.Now();

        for (int i = 0; i < Times; i++)
            Once();

        before.More().Should().BeEmpty();
        Threads().Should().BeLessThanOrEqualTo(threads);

        void Once()
        {
            using VfioUserServer server = VfioUserServer.BindAbstract(name);
            Task running = by == ServedBy.OwnThread ? server.RunAsync(device) : Polled.RunAsync(server, device);
            server.Dispose();
            running.ShouldGive();
        }
    }
}
