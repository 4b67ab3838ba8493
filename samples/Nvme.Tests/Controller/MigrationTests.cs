using Nvme.Backends;
using Nvme.Controller;
using Nvme.Doorbells;
using Nvme.Driver;
using Nvme.Tests.Support;
using Nvme.Wire;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace Nvme.Tests.Controller;

public class MigrationTests
{
    private static byte[] Save(TestGuest guest)
    {
        guest.Client.SetMigrationState(MigrationState.StopCopy);
        using MemoryStream stream = new();
        byte[] piece = new byte[64 << 10];
        int count;
        while ((count = guest.Client.ReadMigrationData(piece)) > 0)
            stream.Write(piece, 0, count);
        return stream.ToArray();
    }

    private static void Restore(TestGuest guest, byte[] state)
    {
        guest.Client.SetMigrationState(MigrationState.Resuming);
        guest.Client.WriteMigrationData(state);
        guest.Client.SetMigrationState(MigrationState.Running);
    }

    [Theory]
    [InlineData(DoorbellKind.Trapped, false, true)]
    [InlineData(DoorbellKind.Trapped, true, true)]
    [InlineData(DoorbellKind.Mapped, false, true)]
    [InlineData(DoorbellKind.Trapped, false, false)]
    public void Queues_go_on_at_the_target_where_they_stopped_at_the_source(DoorbellKind doorbells, bool shadow, bool msiX)
    {
        MemoryBackend disk = new(8 << 20);
        NvmeOptions options = new() { Doorbells = doorbells };
        using Machine source = new(options: options, disks: [disk], msiX: msiX);
        DriverQueue queue = source.Driver.CreateQueue(1, 8);
        if (shadow)
            source.Driver.UseShadowDoorbells();
        for (int i = 0; i < 11; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, (ulong)i, 1, source.Guest.Place(Machine.Pattern(512, i)))));
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 5, dword11: 42)));
        byte[] state = Save(source.Guest);

        using NvmeController target = new([disk], options);
        using TestGuest guest = TestGuest.Attach(target);
        guest.Memory.Write(guest.Memory.Address, source.Read(source.Guest.Memory.Address, (int)source.Guest.Memory.Size));
        Restore(guest, state);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        DriverQueue moved = driver.Move(queue);
        VfioUser.Iova page = guest.Memory.Address + (guest.Memory.Size - 4096);
        for (int i = 0; i < 11; i++)
        {
            NvmeDriver.Expect(moved.Execute(NewCommand.Io(IoOpcode.Read, (ulong)i, 1, page)));
            byte[] found = new byte[512];
            guest.Memory.Read(page, found);
            found.Should().Equal(Machine.Pattern(512, i));
        }

        driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 5)).Result.Should().Be(42u);
    }

    [Fact]
    public async Task Commands_in_flight_are_completed_before_the_state_is_saved()
    {
        using HeldBackend disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 4; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        queue.Ring();
        for (int i = 0; i < 4; i++)
            disk.WaitForAccess();

        Task<byte[]> saving = Task.Run(() => Save(machine.Guest));
        bool early = saving.IsCompleted;
        disk.Release();
        await saving.WaitAsync(TimeSpan.FromSeconds(60));

        early.Should().BeFalse();
        for (int i = 0; i < 4; i++)
            queue.TryTake(out _, ring: false).Should().BeTrue();
    }

    [Fact]
    public void Save_that_is_called_off_leaves_a_controller_that_works_on()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 5; i++)
        {
            Save(machine.Guest).Should().NotBeEmpty();
            machine.Guest.Client.SetMigrationState(MigrationState.Running);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        }
    }

    [Fact]
    public void Controller_that_was_never_enabled_moves_too()
    {
        using Machine source = new(enable: false);
        using Machine target = new(enable: false);

        Restore(target.Guest, Save(source.Guest));
        target.Driver.Enable();

        target.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Controller_with_other_disks_is_refused_and_works_after_a_reset()
    {
        using Machine source = new();
        using Machine target = new(disks: [new MemoryBackend(1 << 20)]);
        byte[] state = Save(source.Guest);

        FluentActions.Invoking(() => Restore(target.Guest, state)).Should().Throw<VfioUserException>();
        target.Guest.Reset();
        target.Driver.Enable();

        target.Driver.Status.Should().Be(1);
    }
}
