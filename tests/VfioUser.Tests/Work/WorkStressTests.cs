using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>All kinds of work at one time, under a client that does as it likes.</summary>
public sealed class WorkStressTests
{
    private readonly WorkingDevice _device = new();
    private int _onCommandThread;
    private int _inWorkers;
    private int _beside;
    private int _metAtReset;
    private int _posted;
    private int _ran;
    private int _ticks;

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Command_thread_runs_one_thing_at_a_time_and_workers_are_out_whatever_the_client_does(ServedBy by)
    {
        DeviceTimer ticking = _device.AddTimer(() => Alone(() => _ticks++));
        _device.Written = _ => Alone(() => ticking.StartPeriodic(TimeSpan.FromMicroseconds(300)));
        _device.Happened = _ => Alone(() => _metAtReset += Volatile.Read(ref _inWorkers));
        _device.AddWorker("task", async (work, _) =>
        {
            while (true)
            {
                using (await work.EnterAsync())
                    Work();
                await Task.Yield();
            }
        });
        _device.AddWorkerThread("thread", (work, _) =>
        {
            while (true)
            {
                using (work.Enter())
                    Work();
                Thread.Yield();
            }
        });
        using WorkRig rig = new(by, _device);
        Random random = new(20261129); // the same actions in each run
        for (int round = 0; round < 20; round++)
        {
            using RawClient client = rig.Attach();
            for (int i = random.Next(20); i >= 0; i--)
                Do(rig, client, random.Next(6));
            // it leaves in the middle of something
            client.Say(random.Next(2) == 0 ? Command.DeviceReset : Command.DeviceGetInfo);
        }

        using RawClient last = rig.Attach();
        WorkRig.Reset(last);
        int ticks = Volatile.Read(ref _ticks);
        int ran = Volatile.Read(ref _ran);
        WorkRig.Write(last, 1);
        SpinWait.SpinUntil(() => Volatile.Read(ref _ticks) > ticks && Volatile.Read(ref _ran) > ran, Wait.Bound).Should().BeTrue("all of them still work");

        _beside.Should().Be(0);
        _metAtReset.Should().Be(0);
    }

    private static void Do(WorkRig rig, RawClient client, int action)
    {
        switch (action)
        {
            case 0:
                WorkRig.Reset(client);
                break;
            case 1:
                rig.FunctionLevelReset(client);
                break;
            case 2:
                WorkRig.GoTo(client, MigrationState.StopCopy);
                client.ShouldBeServed();
                WorkRig.GoTo(client, MigrationState.Running);
                break;
            case 3:
                WorkRig.GoTo(client, MigrationState.Stop);
                WorkRig.Reset(client);
                break;
            case 4:
                client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0)).Header.Error.Should().Be(0u);
                break;
            default:
                WorkRig.Write(client, 1);
                break;
        }
    }

    private void Work()
    {
        Interlocked.Increment(ref _inWorkers);
        if (Volatile.Read(ref _posted) - Volatile.Read(ref _ran) < 100)
        {
            Interlocked.Increment(ref _posted);
            _device.Post(() => Alone(() => _ran++));
        }
        Interlocked.Decrement(ref _inWorkers);
    }

    private void Alone(Action action)
    {
        if (Interlocked.Increment(ref _onCommandThread) != 1)
            Interlocked.Increment(ref _beside);
        action();
        Interlocked.Decrement(ref _onCommandThread);
    }
}
