using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

public sealed class WorkerTests
{
    private const int WorkersWait = 63;
    private const int WorkersAbandoned = 64;

    private readonly WorkingDevice _device = new();

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Workers_start_and_end_with_each_run(ServedBy by)
    {
        _device.AddWorker("task", async (_, stop) =>
        {
            _device.Tell("begun");
            try
            {
                await Task.Delay(Timeout.Infinite, stop);
            }
            finally
            {
                _device.Tell("ended");
            }
        });
        _device.AddWorkerThread("thread", (_, stop) => stop.WaitHandle.WaitOne());

        for (int run = 0; run < 3; run++)
        {
            using (new WorkRig(by, _device))
                _device.ShouldTell("begun");
            _device.Diary.Should().Equal("ended");
            _device.ShouldTell("ended");
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread, false)]
    [InlineData(ServedBy.OwnThread, true)]
    [InlineData(ServedBy.Poller, false)]
    [InlineData(ServedBy.Poller, true)]
    [InlineData(ServedBy.Host, false)]
    [InlineData(ServedBy.Host, true)]
    public void No_worker_runs_while_the_device_is_reset_stopped_or_its_memory_unmapped(ServedBy by, bool onThread)
    {
        int inside = 0;
        int entered = 0;
        int met = 0;
        if (onThread)
        {
            _device.AddWorkerThread("busy", (work, _) =>
            {
                while (true)
                {
                    using (work.Enter())
                        Use();
                }
            });
        }
        else
        {
            _device.AddWorker("busy", async (work, _) =>
            {
                while (true)
                {
                    using (await work.EnterAsync())
                        Use();
                    await Task.Yield();
                }
            });
        }
        _device.Happened = _ => met += Volatile.Read(ref inside);
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();

        for (int round = 0; round < 20; round++)
        {
            int before = Volatile.Read(ref entered);
            WorkRig.Reset(client);
            rig.FunctionLevelReset(client);
            using SafeFileHandle file = Files.Sealed(QuiesceRig.Page);
            client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh), file).ShouldBeGranted();
            client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0)).Header.Error.Should().Be(0u);
            WorkRig.GoTo(client, MigrationState.StopCopy);
            int stopped = Volatile.Read(ref entered);
            client.ShouldBeServed();
            Volatile.Read(ref entered).Should().Be(stopped, "a stopped device does not work");
            WorkRig.GoTo(client, MigrationState.Running);
            SpinWait.SpinUntil(() => Volatile.Read(ref entered) > before, Wait.Bound).Should().BeTrue("it works again");
        }

        met.Should().Be(0);

        void Use()
        {
            Interlocked.Increment(ref inside);
            Interlocked.Increment(ref entered);
            Thread.SpinWait(100);
            Interlocked.Decrement(ref inside);
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Reset_waits_for_who_is_inside_and_a_client_that_leaves_meanwhile_makes_room_for_the_next(ServedBy by)
    {
        using SemaphoreSlim leave = new(0);
        _device.AddWorker("slow", async (work, stop) =>
        {
            while (true)
            {
                using (await work.EnterAsync())
                {
                    _device.Tell("inside");
                    await leave.WaitAsync(stop);
                    _device.Tell("leaves");
                }
            }
        });
        using WorkRig rig = new(by, _device);
        _device.ShouldTell("inside");

        using (RawClient client = rig.Attach())
        {
            ushort reset = client.Say(Command.DeviceReset);
            SpinWait.SpinUntil(() => _device.Activity.State == DeviceState.Quiescing, Wait.Bound).Should().BeTrue();
            leave.Release();
            client.HearReply(reset, Command.DeviceReset).ShouldBeGranted();
            _device.ShouldTell("leaves", "reset ClientRequested", "inside");
            client.Say(Command.DeviceReset);
            SpinWait.SpinUntil(() => _device.Activity.State == DeviceState.Quiescing, Wait.Bound).Should().BeTrue();
        }
        leave.Release();
        _device.ShouldTell("leaves", "detached", "inside");
        using RawClient next = rig.Attach();

        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Workers_continue_if_the_device_cannot_be_quiesced(ServedBy by)
    {
        using SemaphoreSlim enter = new(0);
        _device.AddWorker("task", async (work, stop) =>
        {
            while (true)
            {
                await enter.WaitAsync(stop);
                using (await work.EnterAsync())
                    _device.Tell("inside");
            }
        });
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();

        _device.Answer = (_, _) => new(false);
        client.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EBUSY);
        enter.Release();
        _device.ShouldTell("inside");
        _device.Answer = (_, _) => throw new InvalidOperationException("not today");
        client.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EIO);
        enter.Release();
        _device.ShouldTell("inside");

        rig.ShouldThrow().Callback.Should().Be(DeviceCallback.Quiesce);
        _device.Answer = (_, _) => new(true);
        WorkRig.Reset(client);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Exception_of_a_worker_is_reported_by_name_and_the_others_continue(ServedBy by)
    {
        using SemaphoreSlim begin = new(0);
        _device.AddWorker("bad", async (work, stop) =>
        {
            await begin.WaitAsync(stop);
            using (await work.EnterAsync())
                throw new InvalidOperationException("tired");
        });
        _device.AddWorkerThread("worse", (_, _) => throw new OperationCanceledException("by nobody"));
        _device.AddWorker("good", async (work, stop) =>
        {
            await begin.WaitAsync(stop);
            using (await work.EnterAsync())
                _device.Tell("worked");
        });
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();

        (rig.ShouldThrow() is { Callback: DeviceCallback.Worker, Worker: "worse", Command: null }).Should().BeTrue();
        begin.Release(2);
        DeviceExceptionContext context = rig.ShouldThrow();

        (context.Callback, context.Worker, context.Exception.Message).Should().Be((DeviceCallback.Worker, "bad", "tired"));
        context.ToString().Should().Be("InvalidOperationException in Worker 'bad': tired");
        _device.ShouldTell("worked");
        WorkRig.Reset(client);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Worker_posts_while_the_device_is_reset_again_and_again(ServedBy by)
    {
        int posted = 0;
        int ran = 0;
        _device.AddWorker("poster", async (work, _) =>
        {
            while (true)
            {
                using (await work.EnterAsync())
                {
                    for (; posted - Volatile.Read(ref ran) < 100; posted++)
                        _device.Post(() => ran++);
                }
                await Task.Yield();
            }
        });
        using (WorkRig rig = new(by, _device))
        {
            using RawClient client = rig.Attach();
            for (int i = 0; i < 100; i++)
                WorkRig.Reset(client);
            SpinWait.SpinUntil(() => Volatile.Read(ref posted) > 0, Wait.Bound).Should().BeTrue();
            WorkRig.GoTo(client, MigrationState.Stop);
            ran.Should().Be(posted, "what was posted before a stop runs before it");
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Worker_that_waits_to_enter_a_stopped_device_ends_with_the_run(ServedBy by)
    {
        using ManualResetEvent mayEnter = new(false);
        _device.AddWorker("task", async (work, _) =>
        {
            mayEnter.ShouldBeSet();
            using (await work.EnterAsync())
                _device.Tell("inside");
        });
        _device.AddWorkerThread("thread", (work, _) =>
        {
            mayEnter.ShouldBeSet();
            using (work.Enter())
                _device.Tell("inside");
        });
        using (WorkRig rig = new(by, _device))
        {
            using RawClient client = rig.Attach();
            WorkRig.GoTo(client, MigrationState.Stop);
            mayEnter.Set();
            client.ShouldBeServed();
        }

        _device.ShouldTell("stopped", "detached");
        _device.Diary.Should().BeEmpty();
    }

    [Fact]
    public void Run_on_a_thread_of_its_own_ends_when_the_last_worker_has_ended()
    {
        using ManualResetEvent end = new(false);
        _device.AddWorkerThread("stubborn", (_, _) => end.ShouldBeSet());
        using WorkRig rig = new(ServedBy.OwnThread, _device);

        rig.Server.Dispose();
        SpinWait.SpinUntil(() => rig.Log.Has(WorkersWait), Wait.Bound).Should().BeTrue();
        bool early = rig.Running.IsCompleted;
        end.Set();
        rig.Running.ShouldEnd();

        early.Should().BeFalse();
    }

    [Theory]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Poller_abandons_a_worker_that_does_not_end_and_the_device_is_not_served_before_it_has(ServedBy by)
    {
        using ManualResetEvent end = new(false);
        _device.AddWorkerThread("stubborn", (_, _) => end.ShouldBeSet());
        using (WorkRig rig = new(by, _device))
        {
            rig.Server.Dispose();
            rig.Running.ShouldEnd();
            rig.Log.Entries.Should().Contain(entry => entry.Id == WorkersAbandoned && entry.Text.Contains("stubborn"));
        }

        this.Invoking(_ => new WorkRig(by, _device)).Should().Throw<InvalidOperationException>().WithMessage("*stubborn*");
        end.Set();
        _device.Workers.Ended.ShouldEnd();
        using WorkRig again = new(by, _device);
    }

    [Fact]
    public void Worker_is_declared_before_the_device_is_served()
    {
        using WorkRig rig = new(ServedBy.OwnThread, _device);

        _device.Invoking(device => device.AddWorker("late", (_, _) => Task.CompletedTask)).Should().Throw<InvalidOperationException>();
        _device.Invoking(device => device.AddWorkerThread("late", (_, _) => { })).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void Entering_and_leaving_allocate_nothing()
    {
        DeviceWork work = new();
        Use();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            Use();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        void Use()
        {
            using (work.Enter())
            {
                ValueTask<DeviceWorkScope> entered = work.EnterAsync();
                if (entered.IsCompletedSuccessfully)
                    entered.Result.Dispose();
            }
        }
    }

    [Fact]
    public async Task Closed_work_opens_for_all_who_wait()
    {
        DeviceWork work = new();
        work.TryEnter().Should().BeTrue();

        Task left = work.Close();
        bool early = work.TryEnter() || left.IsCompleted;
        Task<DeviceWorkScope>[] waiting = [.. Enumerable.Range(0, 4).Select(i => i % 2 == 0 ? work.EnterAsync().AsTask() : Wait.Start(work.Enter))];
        work.Exit();
        await left.WaitAsync(Wait.Bound);
        bool soon = waiting.Any(task => task.IsCompleted);
        work.Open();
        await Task.WhenAll(waiting).WaitAsync(Wait.Bound);

        (early, soon).Should().Be((false, false));
        work.Close().IsCompleted.Should().BeFalse();
    }
}
