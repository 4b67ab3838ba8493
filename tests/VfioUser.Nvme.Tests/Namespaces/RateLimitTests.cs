using Microsoft.Extensions.Time.Testing;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Namespaces;

public class RateLimitTests
{
    private readonly FakeTimeProvider _time = new();

    private RateLimiter Limiter(long? commands = null, long? bytes = null, double burst = 0.1) =>
        new(new NvmeRateLimit { Commands = commands, Bytes = bytes, Burst = TimeSpan.FromSeconds(burst) }, () => _time);

    [Fact]
    public void Commands_wait_their_share_of_a_second_when_the_burst_is_used_up()
    {
        RateLimiter limiter = Limiter(commands: 10, burst: 0.3);

        double[] waits = [.. Enumerable.Range(0, 7).Select(_ => limiter.Take(4096).TotalSeconds)];

        waits.Should().Equal([0, 0, 0, 0, 0.1, 0.2, 0.3], (found, expected) => Math.Abs(found - expected) < 1e-6);
    }

    [Fact]
    public void Rate_is_kept_over_a_long_time_whatever_the_pattern()
    {
        RateLimiter limiter = Limiter(commands: 1000, bytes: 10 << 20);
        Random random = new(1);
        long bytes = 0;
        int commands = 0;
        double end = 0;
        while (end < 60)
        {
            int length = random.Next(1, 256) * 512;
            double start = (_time.GetTimestamp() / (double)_time.TimestampFrequency) - _start + limiter.Take(length).TotalSeconds;
            end = Math.Max(end, start);
            bytes += length;
            commands++;
            if (random.Next(50) == 0)
                _time.Advance(TimeSpan.FromSeconds(Math.Max(0, end - Now())));
        }

        (bytes / end).Should().BeInRange(0.98 * (10 << 20), 1.02 * (10 << 20));
        (commands / end).Should().BeLessThan(1000);
    }

    private readonly double _start = new FakeTimeProvider().GetTimestamp() / (double)new FakeTimeProvider().TimestampFrequency;

    private double Now() => (_time.GetTimestamp() / (double)_time.TimestampFrequency) - _start;

    [Fact]
    public void Idle_time_saves_up_one_burst_and_no_more()
    {
        RateLimiter limiter = Limiter(bytes: 1 << 20, burst: 0.5);
        limiter.Take(1 << 20);
        _time.Advance(TimeSpan.FromHours(1));

        limiter.Take(1 << 19).Should().Be(TimeSpan.Zero);
        limiter.Take(1 << 19).Should().Be(TimeSpan.Zero, "the bucket is empty with it");
        limiter.Take(1 << 19).TotalSeconds.Should().BeApproximately(0.5, 1e-6);
    }

    [Fact]
    public void Tokens_that_are_given_back_are_there_for_others()
    {
        RateLimiter limiter = Limiter(commands: 1, burst: 0);
        limiter.Take(0);
        for (int i = 0; i < 100; i++)
        {
            limiter.Take(0);
            limiter.Return(0);
        }

        limiter.Take(0).TotalSeconds.Should().BeApproximately(1, 1e-6);
    }

    private static Machine NewMachine(FakeTimeProvider? time, NvmeRateLimit limit, NvmeControllerOptions? options = null) =>
        new([new NvmeNamespace(new MemoryDisk(8 << 20)) { RateLimit = limit }, new NvmeNamespace(new MemoryDisk(8 << 20))], options: options, time: time);

    [Fact]
    public void Commands_beyond_the_rate_complete_as_the_time_passes_and_other_namespaces_do_at_once()
    {
        using Machine machine = NewMachine(_time, new NvmeRateLimit { Commands = 10, Burst = TimeSpan.Zero });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();
        for (ushort id = 0; id < 5; id++)
            queue.PutAs(id, NewCommand.Io(IoOpcode.Read, 0, 1, page));
        queue.PutAs(9, NewCommand.Io(IoOpcode.Read, 0, 1, page, nsid: 2));
        queue.Ring();

        ushort[] atOnce = [queue.Take().CommandId, queue.Take().CommandId];
        bool early = queue.TryTake(out _);

        atOnce.Should().BeEquivalentTo([(ushort)0, (ushort)9]);
        early.Should().BeFalse();
        for (ushort id = 1; id < 5; id++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            NvmeDriver.Expect(queue.Take()).CommandId.Should().Be(id);
        }
    }

    [Fact]
    public void Command_that_waits_is_aborted_and_costs_the_others_nothing()
    {
        using Machine machine = NewMachine(_time, new NvmeRateLimit { Commands = 1, Burst = TimeSpan.Zero });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
        ushort waiting = queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        while (machine.Controller.Queues[1].InFlight == 0)
            Thread.Yield();

        // best effort, by its kind: the command may only be about to wait
        while (!queue.TryTake(out Completion aborted))
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.Abort, dword10: 1 | (uint)waiting << 16)));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        while (machine.Controller.Queues[1].InFlight == 0)
            Thread.Yield();
        _time.Advance(TimeSpan.FromSeconds(1));

        NvmeDriver.Expect(queue.Take());
    }

    [Fact]
    public void Reset_and_migration_do_not_wait_for_the_rate()
    {
        using Machine machine = NewMachine(_time, new NvmeRateLimit { Commands = 1, Burst = TimeSpan.Zero });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();
        for (int i = 0; i < 20; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        queue.Ring();
        NvmeDriver.Expect(queue.Take());

        machine.Guest.Migration.Save().Should().NotBeEmpty();
        machine.Guest.Migration.Resume();
        for (int i = 1; i < 20; i++)
            NvmeDriver.Expect(queue.Take());
        for (int i = 0; i < 20; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        queue.Ring();
        machine.Driver.Disable();
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Rate_is_changed_and_lifted_at_run_time()
    {
        using Machine machine = NewMachine(_time, new NvmeRateLimit { Commands = 1, Burst = TimeSpan.Zero });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Controller.SetRateLimit(1, null);

        for (int i = 0; i < 100; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));

        FluentActions.Invoking(() => machine.Controller.SetRateLimit(1, new NvmeRateLimit { Commands = 0 })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => machine.Controller.SetRateLimit(1, new NvmeRateLimit { Bytes = 1 })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => machine.Controller.SetRateLimit(9, null)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Real_time_passes_at_the_rate()
    {
        using Machine machine = NewMachine(null, new NvmeRateLimit { Commands = 1000, Burst = TimeSpan.FromMilliseconds(10) });
        DriverQueue queue = machine.Driver.CreateQueue(1, 256);
        Iova page = machine.NewPage();
        long began = System.Diagnostics.Stopwatch.GetTimestamp();

        for (int i = 0; i < 200; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        queue.Ring();
        for (int i = 0; i < 200; i++)
            NvmeDriver.Expect(queue.Take());

        System.Diagnostics.Stopwatch.GetElapsedTime(began).Should().BeGreaterThan(TimeSpan.FromMilliseconds(180));
    }
}
