using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

public sealed class PostTests
{
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Posted_action_runs_before_during_and_after_a_session(ServedBy by)
    {
        WorkingDevice device = new();
        device.Post(() => device.Tell("before it was served"));
        using WorkRig rig = new(by, device);

        device.ShouldTell("before it was served");
        device.Post(() => device.Tell("without a client"));
        device.ShouldTell("without a client");
        using (RawClient client = rig.Attach())
        {
            device.Post(() => device.Tell("with a client"));
            device.ShouldTell("with a client");
            client.ShouldBeServed();
        }

        device.ShouldTell("detached");
        device.Post(() => device.Tell("after the client"));
        device.ShouldTell("after the client");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Posted_actions_run_in_order_and_never_beside_a_handler(ServedBy by)
    {
        const int Count = 2000;
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();
        int inside = 0;
        int beside = 0;
        List<int>[] seen = [[], []];
        rig.Device.Written = _ => Alone(() => { });

        Task[] posters = [.. seen.Select(list => Wait.Start(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                int number = i;
                rig.Device.Post(() => Alone(() => list.Add(number)));
                if (i % 64 == 0)
                    Thread.Yield();
            }
        }))];
        while (!posters.All(poster => poster.IsCompleted))
            WorkRig.Write(client, 1);
        Task.WhenAll(posters).ShouldGive();
        rig.Device.Post(() => rig.Device.Tell("last"));
        rig.Device.ShouldTell("last");

        beside.Should().Be(0);
        seen.Should().OnlyContain(list => list.SequenceEqual(Enumerable.Range(0, Count)));

        void Alone(Action action)
        {
            if (Interlocked.Increment(ref inside) != 1)
                Interlocked.Increment(ref beside);
            action();
            Interlocked.Decrement(ref inside);
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Action_that_a_handler_posts_runs_after_the_handler(ServedBy by)
    {
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();
        rig.Device.Written = _ =>
        {
            rig.Device.Post(() => rig.Device.Tell("posted"));
            rig.Device.Tell("written");
        };

        WorkRig.Write(client, 1);

        rig.Device.ShouldTell("written", "posted");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Exception_of_a_posted_action_is_reported_and_ends_nothing(ServedBy by)
    {
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();

        rig.Device.Post(() => throw new InvalidOperationException("posted in vain"));
        rig.Device.Post(() => rig.Device.Tell("next"));

        DeviceExceptionContext context = rig.ShouldThrow();
        (context.Callback, context.Command, context.Exception.Message).Should().Be((DeviceCallback.Post, null, "posted in vain"));
        rig.Device.ShouldTell("next");
        rig.Log.Has(CapturedLog.DeviceThrew).Should().BeTrue();
        client.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Action_that_posts_itself_again_and_again_leaves_commands_their_turn(ServedBy by)
    {
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();
        bool ends = false;
        rig.Device.Post(Again);

        for (int i = 0; i < 100; i++)
            client.ShouldBeServed();
        Volatile.Write(ref ends, true);

        rig.Device.ShouldTell("ended");

        void Again()
        {
            if (Volatile.Read(ref ends))
                rig.Device.Tell("ended");
            else
                rig.Device.Post(Again);
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Reset_drops_what_was_posted_until_a_reset_and_nothing_else(ServedBy by)
    {
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();
        using LateAnswer answer = new();
        rig.Device.Answer = answer.Ask;

        ushort reset = client.Say(Command.DeviceReset);
        answer.ShouldBeAsked();
        rig.Device.Post(() => rig.Device.Tell("first"));
        rig.Device.Post(() => rig.Device.Tell("void"), untilReset: true);
        rig.Device.Post(() => rig.Device.Tell("second"));
        answer.Quiesced();
        client.HearReply(reset, Command.DeviceReset).ShouldBeGranted();

        rig.Device.ShouldTell("reset ClientRequested", "first", "second");
        rig.Device.Answer = (_, _) => new(true);
        rig.Device.Post(() => rig.Device.Tell("later"), untilReset: true);
        rig.Device.ShouldTell("later");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Device_is_stopped_after_what_was_posted_before_and_runs_what_is_posted_then_when_it_starts(ServedBy by)
    {
        using WorkRig rig = new(by);
        using RawClient client = rig.Attach();
        rig.Device.Answer = (_, _) =>
        {
            rig.Device.Post(() => rig.Device.Tell("before"));
            return new(true);
        };

        WorkRig.GoTo(client, MigrationState.Stop);
        rig.Device.Post(() => rig.Device.Tell("meanwhile"));
        client.ShouldBeServed();
        rig.Device.ShouldTell("before", "stopped");
        rig.Device.Diary.Should().BeEmpty();
        WorkRig.GoTo(client, MigrationState.Running);

        rig.Device.ShouldTell("started", "meanwhile");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Posts_survive_clients_that_leave_in_the_middle(ServedBy by)
    {
        const int Count = 3000;
        using WorkRig rig = new(by);
        int ran = 0;

        Task poster = Wait.Start(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                rig.Device.Post(() => ran++);
                if (i % 16 == 0)
                    Thread.Yield();
            }
        });
        do
        {
            using RawClient client = rig.Attach();
            client.Say(Command.DeviceReset);
        }
        while (!poster.IsCompleted);
        poster.ShouldGive();
        using ManualResetEvent last = new(false);
        rig.Device.Post(() => last.Set());
        last.ShouldBeSet();

        ran.Should().Be(Count);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Run_ends_after_the_action_that_runs_and_keeps_the_next_one_for_another_run(ServedBy by)
    {
        WorkingDevice device = new();
        using ManualResetEvent inside = new(false);
        using ManualResetEvent leave = new(false);
        using (WorkRig rig = new(by, device))
        {
            using RawClient client = rig.Attach();
            device.Post(() =>
            {
                inside.Set();
                leave.ShouldBeSet();
                device.Post(() => device.Tell("next"));
            });
            inside.ShouldBeSet();

            rig.Server.Dispose();
            bool early = rig.Running.IsCompleted;
            leave.Set();
            rig.Running.ShouldEnd();

            early.Should().BeFalse();
        }
        using WorkRig again = new(by, device);

        device.ShouldTell("detached", "next");
    }

    [Fact]
    public void A_device_that_posts_endlessly_is_reported()
    {
        WorkingDevice device = new();
        for (int i = 0; i < PostQueue.Limit; i++)
            device.Post(() => { });

        device.Invoking(posting => posting.Post(() => { })).Should().Throw<InvalidOperationException>().WithMessage("65536 posted actions *");
    }

    [Fact]
    public void Queue_of_posts_allocates_nothing_once_it_has_grown()
    {
        PostQueue queue = new();
        Action action = () => { };
        Use();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 100; round++)
            Use();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        void Use()
        {
            for (int i = 0; i < 100; i++)
                queue.Add(action, untilReset: false);
            while (queue.Take() is not null)
            {
            }
        }
    }
}
