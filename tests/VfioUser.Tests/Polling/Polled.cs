using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>An event loop of one descriptor.</summary>
internal static class Polled
{
    /// <summary>Serves until it is over.</summary>
    public static Task RunAsync(VfioUserServer server, PciDevice device, int maxCommands = 8, CancellationToken stop = default)
    {
        DevicePoller poller = server.CreatePoller(device, stop);
        return Wait.Start(() =>
        {
            using (poller)
                Run(poller, maxCommands);
        });
    }

    public static void Run(DevicePoller poller, int maxCommands)
    {
        PollResult result = default;
        while ((result.Events & PollEvents.Ended) == 0)
        {
            // never more rarely than this: what the descriptor misses shall fail a test, not hang it
            PollCalls.WaitReadable(poller.Handle, (int)Wait.Bound.TotalMilliseconds).Should().BeTrue("something is to happen within {0}", Wait.Bound);
            result = poller.Process(maxCommands);
            result.Commands.Should().BeLessThanOrEqualTo(maxCommands);
        }
    }
}
