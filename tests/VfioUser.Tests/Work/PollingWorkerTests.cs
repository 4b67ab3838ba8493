using System.Collections.Concurrent;
using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>Workers that poll a queue and sleep: each job is done once, whenever it comes.</summary>
public sealed class PollingWorkerTests
{
    private readonly WorkingDevice _device = new();

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Worker_is_woken_for_each_job_however_short_the_pause_before_it(ServedBy by)
    {
        QueueWorker worker = new(_device);
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        _device.Written = worker.Add;

        for (uint job = 1; job <= 500; job++)
        {
            WorkRig.Write(client, job);
            worker.ShouldDo(job);
        }
    }

    [Fact]
    public void Jobs_posted_while_the_worker_falls_asleep_are_found_or_wake_it()
    {
        QueueWorker worker = new(_device);
        using WorkRig rig = new(ServedBy.OwnThread, _device);
        worker.Arming = () =>
        {
            if (worker.Added == 0)
                worker.Add(1);
        };

        worker.Wake();

        worker.ShouldDo(1);
    }

    [Fact]
    public void Worker_is_not_called_while_the_device_is_stopped_and_is_woken_afterwards()
    {
        QueueWorker worker = new(_device);
        using WorkRig rig = new(ServedBy.OwnThread, _device);
        using RawClient client = rig.Attach();
        WorkRig.GoTo(client, MigrationState.Stop);
        _device.ShouldTell("stopped");

        worker.Add(1);
        WorkRig.GoTo(client, MigrationState.Running);

        worker.ShouldDo(1);
        worker.CallsWhileStopped.Should().Be(0);
        _device.ShouldTell("started");
    }

    [Fact]
    public void Worker_that_enters_itself_is_called_while_the_device_is_stopped_too()
    {
        QueueWorker worker = new(_device, entersWork: false);
        using WorkRig rig = new(ServedBy.OwnThread, _device);
        using RawClient client = rig.Attach();
        WorkRig.GoTo(client, MigrationState.Stop);
        _device.ShouldTell("stopped");

        worker.Add(1);

        worker.ShouldDo(1);
        WorkRig.GoTo(client, MigrationState.Running);
        _device.ShouldTell("started");
    }

    [Fact]
    public void Worker_starts_and_ends_with_each_run_and_sleeps_in_between()
    {
        QueueWorker worker = new(_device);
        for (uint run = 1; run <= 3; run++)
        {
            worker.IsAsleep.Should().BeTrue("nobody serves the device");
            worker.Add(run);
            using WorkRig rig = new(ServedBy.OwnThread, _device);
            worker.ShouldDo(run);
        }
    }

    [Fact]
    public void An_exception_ends_the_worker_and_is_reported_with_its_name()
    {
        QueueWorker worker = new(_device) { Fails = true };
        using WorkRig rig = new(ServedBy.OwnThread, _device);

        worker.Add(1);

        DeviceExceptionContext threw = rig.ShouldThrow();
        threw.Worker.Should().Be("queue");
        threw.Exception.Message.Should().Be("job 1");
        rig.Log.Has(CapturedLog.DeviceThrew).Should().BeTrue();
    }

    [Fact]
    public void Idle_strategy_polls_for_work_that_is_not_signalled()
    {
        QueueWorker worker = new(_device) { Strategy = new IdleStrategy { LongestSleep = TimeSpan.FromMilliseconds(5) } };
        using WorkRig rig = new(ServedBy.OwnThread, _device);

        for (uint job = 1; job <= 5; job++)
        {
            worker.AddUnannounced(job);
            worker.ShouldDo(job);
        }
    }

    private sealed class QueueWorker(WorkingDevice device, bool entersWork = true) : PollingWorker(device, "queue", entersWork)
    {
        private readonly ConcurrentQueue<uint> _jobs = new();
        private readonly BlockingCollection<uint> _done = [];

        public int Added { get; private set; }

        public int CallsWhileStopped { get; private set; }

        public bool Fails { get; init; }

        public IdleStrategy Strategy { get; init; } = new();

        public Action? Arming { get; set; }

        protected override IdleStrategy Idle => Strategy;

        public void AddUnannounced(uint job)
        {
            Added++;
            _jobs.Enqueue(job);
        }

        public void Add(uint job)
        {
            AddUnannounced(job);
            Wake();
        }

        public void ShouldDo(uint job)
        {
            _done.TryTake(out uint done, Wait.Bound).Should().BeTrue("job {0} was due", job);
            done.Should().Be(job);
        }

        protected override bool Poll()
        {
            if (device.Activity.IsStopped)
                CallsWhileStopped++;
            if (!_jobs.TryDequeue(out uint job))
                return false;
            if (Fails)
                throw new InvalidOperationException($"job {job}");
            _done.Add(job);
            return true;
        }

        protected override bool Arm()
        {
            bool found = !_jobs.IsEmpty;
            Arming?.Invoke();
            return found;
        }
    }
}
