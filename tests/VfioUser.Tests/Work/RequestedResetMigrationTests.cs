using VfioUser.Protocol;
using VfioUser.Testing;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>Resets that a device requests while a migration goes on.</summary>
public sealed class RequestedResetMigrationTests
{
    private readonly WorkingDevice _device = new();

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Stopped_device_is_reset_when_it_runs_again(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        WorkRig.GoTo(client, MigrationState.Stop);
        Task<bool> reset = _device.RequestResetAsync();
        client.ShouldBeServed();
        _device.ShouldTell("stopped");
        _device.Diary.Should().BeEmpty();

        WorkRig.GoTo(client, MigrationState.Running);

        reset.ShouldGive(true);
        _device.ShouldTell("started", "reset DeviceRequested");
    }

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Reset_by_the_client_is_the_one_that_a_stopped_device_waits_for(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        WorkRig.GoTo(client, MigrationState.Stop);
        Task<bool> reset = _device.RequestResetAsync();

        WorkRig.Reset(client);

        reset.ShouldGive(true);
        client.ShouldBeServed();
        _device.Post(() => _device.Tell("later"));
        _device.ShouldTell("stopped", "reset ClientRequested", "started", "later");
    }

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Stopped_device_whose_client_disconnected_is_reset_with_the_next_one(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using (RawClient client = rig.Attach())
            WorkRig.GoTo(client, MigrationState.Stop);
        _device.ShouldTell("stopped", "detached");
        Task<bool> reset = _device.RequestResetAsync();

        using RawClient next = rig.Attach();

        reset.ShouldGive(true);
        _device.ShouldTell("started", "reset DeviceRequested");
    }

    [Fact]
    public void State_stays_in_pre_copy_and_what_is_saved_is_the_device_after_the_reset()
    {
        using TestGuest source = TestGuest.Attach(new PreCopyDevice());
        source.Bar0.Write(0, 7u);
        source.Migration.SetState(MigrationState.PreCopy);

        ((PreCopyDevice)source.Device).RequestResetAsync().ShouldGive(true);

        source.Migration.GetState().Should().Be(MigrationState.PreCopy);
        source.Bar0.Read<uint>(0).Should().Be(0u);
    }

    [Fact]
    public void State_stays_even_if_the_last_change_failed_and_only_the_client_resets_it()
    {
        using TestGuest guest = TestGuest.Attach(new PreCopyDevice());
        guest.Migration.SetState(MigrationState.PreCopy);
        guest.Migration.Invoking(migration => migration.SetState(MigrationState.Error)).Should().Throw<Client.VfioUserException>();

        guest.Device.RequestResetAsync().ShouldGive(true);
        guest.Migration.GetState().Should().Be(MigrationState.PreCopy);
        guest.Reset();

        guest.Migration.GetState().Should().Be(MigrationState.Running);
    }

    [Fact]
    public void Device_that_rejects_a_restored_state_is_reset_when_it_runs()
    {
        using TestGuest source = TestGuest.Attach(new PreCopyDevice());
        source.Bar0.Write(0, 7u);
        PreCopyDevice target = new();
        Task<bool>? reset = null;
        target.Restored = () => reset = target.RequestResetAsync();

        using TestGuest moved = source.MigrateTo(target);

        reset!.ShouldGive(true);
        moved.Bar0.Read<uint>(0).Should().Be(0u);
    }
}
