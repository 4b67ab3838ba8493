using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

public sealed class WakeupTests
{
    [Fact]
    public void A_signal_that_races_with_a_reset_is_seen_once()
    {
        using Wakeup wakeup = new();
        using Barrier round = new(2);
        const int Rounds = 2_000;
        Task signals = Wait.Start(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                round.SignalAndWait();
                wakeup.Signal();
                round.SignalAndWait();
            }
        });

        int stuck = 0;
        for (int i = 0; i < Rounds; i++)
        {
            round.SignalAndWait();
            for (int look = 0; look < 20; look++)
                wakeup.Reset();
            round.SignalAndWait();
            wakeup.Reset();
            stuck += PollCalls.WaitReadable(wakeup.Handle, 0) ? 1 : 0;
        }

        signals.ShouldEnd();
        stuck.Should().Be(0, "what was reset is not readable until the next signal");
        wakeup.Signal();
        PollCalls.WaitReadable(wakeup.Handle, 0).Should().BeTrue();
    }
}
