using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>A device that migration has stopped is quiesced until it runs again.</summary>
public sealed class QuiesceMigrationTests
{
    [Fact]
    public void A_stopped_device_resumes_when_it_runs_and_is_not_quiesced_in_between()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        foreach (MigrationState state in new[] { MigrationState.StopCopy, MigrationState.Stop, MigrationState.Resuming })
            client.Ask(Command.DeviceFeature, QuiesceRig.State(state)).Header.Error.Should().Be(0u);
        client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh)).ShouldBeGranted();
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Running)).Header.Error.Should().Be(0u);
        client.Ask(Command.DeviceReset).ShouldBeGranted();

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "mapped", "started", "resumed Migration",
            "asked Reset", "reset ClientRequested", "resumed Reset");
    }

    [Theory]
    [InlineData(MigrationState.Stop)]
    [InlineData(MigrationState.StopCopy)]
    [InlineData(MigrationState.Resuming)]
    public void A_reset_makes_it_run_and_resume(MigrationState state)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        client.Ask(Command.DeviceFeature, QuiesceRig.State(state)).Header.Error.Should().Be(0u);
        client.Ask(Command.DeviceReset).ShouldBeGranted();

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "reset ClientRequested", "started", "resumed Migration");
    }

    [Fact]
    public void A_device_that_cannot_stop_resumes_at_once()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Happened = entry =>
        {
            if (entry is "stopped")
                throw new InvalidOperationException("restless");
        };

        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.StopCopy)).ShouldBeRefused(Errno.EIO);

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "resumed Migration");
    }

    [Fact]
    public void A_device_that_cannot_start_stays_quiesced()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Stop)).Header.Error.Should().Be(0u);
        rig.Device.Happened = entry =>
        {
            if (entry is "started")
                throw new InvalidOperationException("tired");
        };

        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Running)).ShouldBeRefused(Errno.EIO);
        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "started");
        rig.Device.Happened = null;
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Running)).Header.Error.Should().Be(0u);

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "started", "started", "resumed Migration");
    }

    [Fact]
    public void Refused_migration_data_leaves_it_quiesced_until_a_reset()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Resuming)).Header.Error.Should().Be(0u);
        client.Ask(Command.MigDataWrite, RawClient.Bytes(new MigrationData(MigrationData.WireSize + 4, 4), [1, 2, 3, 4])).Header.Error.Should().NotBe((uint)Errno.EBUSY);

        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Running)).Header.Error.Should().NotBe(0u);
        rig.Device.Diary.Should().Equal("asked Migration", "stopped");
        client.Ask(Command.DeviceReset).ShouldBeGranted();

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "reset ClientRequested", "started", "resumed Migration");
    }

    [Fact]
    public void A_device_stays_quiesced_without_a_client_and_resumes_when_one_attaches()
    {
        using QuiesceRig rig = new();
        using (RawClient client = rig.Attach())
            client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Stop)).Header.Error.Should().Be(0u);

        rig.ShouldTell("detached");
        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "unmapping", "detached");
        using RawClient next = RawClient.Connect(rig.Server.Address);
        Served.Negotiate(next);
        next.ShouldBeServed();

        rig.Device.Diary.Should().Equal("asked Migration", "stopped", "unmapping", "detached", "started", "resumed Migration", "attached");
    }

    [Fact]
    public void A_client_that_leaves_while_it_stops_finds_it_running()
    {
        using QuiesceRig rig = new();
        RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        rig.Say(client, "stop");
        answer.ShouldBeAsked();
        client.Dispose();
        answer.ShouldBeCancelled();
        answer.Quiesced();

        rig.ShouldTell("resumed Migration");
        rig.Device.Activity.IsStopped.Should().BeFalse();
    }
}
