using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

public sealed class CommandTurnTests
{
    [Fact]
    public void Turn_belongs_to_one_thread_at_a_time()
    {
        const int Rounds = 200_000;
        CommandTurn turn = new(new CommandWork(new DeviceActivity()));
        int inside = 0;
        int beside = 0;
        int borrowed = 0;
        bool ends = false;

        Task standIn = Wait.Start(() =>
        {
            while (!Volatile.Read(ref ends))
            {
                if (!turn.TryBorrow())
                    continue;
                Use();
                borrowed++;
                turn.Return();
            }
        });
        for (int i = 0; i < Rounds || Volatile.Read(ref borrowed) == 0; i++)
        {
            Use();
            turn.TrySleep().Should().BeTrue();
            turn.Wake();
        }
        Volatile.Write(ref ends, true);
        standIn.ShouldGive();

        beside.Should().Be(0);

        void Use()
        {
            if (Interlocked.Increment(ref inside) != 1)
                Interlocked.Increment(ref beside);
            Interlocked.Decrement(ref inside);
        }
    }

    [Fact]
    public void No_thread_sleeps_while_there_is_work()
    {
        CommandWork work = new(new DeviceActivity());
        CommandTurn turn = new(work);
        work.Post(() => { }, untilReset: false);

        turn.TrySleep().Should().BeFalse();
        turn.TryBorrow().Should().BeFalse();
        work.RunReady();

        turn.TrySleep().Should().BeTrue();
        turn.TryBorrow().Should().BeTrue();
    }
}
