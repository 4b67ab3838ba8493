using Microsoft.Extensions.Time.Testing;
using Nvme.Driver;
using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Namespaces;

public class NamespaceMigrationTests
{
    [Fact]
    public void Formats_attachments_and_changes_that_were_not_read_move()
    {
        MemoryDisk[] disks = [new(1 << 20), new(2 << 20), new(3 << 20)];
        NvmeNamespace[] namespaces = [.. disks.Select((disk, i) => new NvmeNamespace(disk) { Id = (uint)i * 2 + 1 })];
        using Machine source = new(namespaces);
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 3, dword10: 1)));
        source.ChangedNamespaces();
        source.Attach(5, attach: false, 0);

        using NvmeController target = new(namespaces);
        using TestGuest guest = source.Guest.MigrateTo(target);

        target.Namespaces.Should().Equal(source.Controller.Namespaces).And.Equal(
            new NvmeNamespaceInfo(1, true, 512, 1 << 20), new NvmeNamespaceInfo(3, true, 4096, 2 << 20), new NvmeNamespaceInfo(5, false, 512, 3 << 20));
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        Iova page = guest.Memory.Allocate(4096);
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetLogPage, 0, page, (uint)LogPageId.ChangedNamespaces | 1023u << 16)));
        guest.Memory.ReadBytes(page, 8).Should().Equal(5, 0, 0, 0, 0, 0, 0, 0);
        DriverQueue queue = driver.CreateQueue(1);
        queue.Execute(NewCommand.Io(IoOpcode.Read, 511, 1, page, nsid: 3)).Status.Should().Be(Status.Success);
        queue.Execute(NewCommand.Io(IoOpcode.Read, 512, 1, page, nsid: 3)).Status.Should().Be(Status.LbaOutOfRange);
        queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page, nsid: 5)).Status.Should().Be(Status.InvalidField);
    }

    [Fact]
    public async Task Namespaces_that_came_and_went_are_those_that_the_target_must_have()
    {
        using MemoryDisk late = new(1 << 20, "late");
        using Machine source = new(disks: [new MemoryDisk(1 << 20, "early"), new MemoryDisk(1 << 20, "gone")]);
        source.Controller.AddNamespace(new NvmeNamespace(late) { Id = 4 });
        await source.Controller.RemoveNamespaceAsync(2);
        byte[] state = source.Guest.Migration.Save();
        using Machine target = new(disks: [new MemoryDisk(1 << 20, "early")], enable: false);

        FluentActions.Invoking(() => target.Guest.Migration.Restore(state)).Should().Throw<VfioUserException>("namespace 4 is not there");
        target.Guest.Reset();
        target.Controller.AddNamespace(new NvmeNamespace(late) { Id = 4 });
        target.Guest.Migration.Restore(state);

        target.Controller.Namespaces.Select(space => space.Id).Should().Equal(1, 4);
    }

    [Fact]
    public void Namespace_that_the_source_had_not_is_refused()
    {
        using Machine source = new(disks: [new MemoryDisk(1 << 20, "first")]);
        using Machine target = new(disks: [new MemoryDisk(1 << 20, "first"), new MemoryDisk(1 << 20, "second")], enable: false);
        byte[] state = source.Guest.Migration.Save();

        FluentActions.Invoking(() => target.Guest.Migration.Restore(state)).Should().Throw<VfioUserException>();
    }

    [Fact]
    public void State_of_a_release_without_attachments_is_restored()
    {
        // Of two namespaces, an admin queue and an I/O queue; one failed command; error recovery is 42.
        string golden = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Controller", "Golden", "state3.hex")).ReplaceLineEndings("");
        using MemoryDisk first = new(1 << 20, "golden 1"), second = new(2 << 20, "golden 2");
        using NvmeController target = new([new NvmeNamespace(first), new NvmeNamespace(second) { BlockSize = 4096 }], new NvmeControllerOptions { SerialNumber = "GOLDEN" });
        using TestGuest guest = TestGuest.Attach(target);

        guest.Migration.Restore(Convert.FromHexString(golden));

        target.Namespaces.Should().Equal(new NvmeNamespaceInfo(1, true, 512, 1 << 20), new NvmeNamespaceInfo(2, true, 4096, 2 << 20));
        target.Queues.Select(queue => (queue.Id, queue.Entries)).Should().Equal((0, 32), (1, 8));
        target.Statistics.Writes.Should().Be(11);
        guest.Bar0.Read<uint>(0x1C).Should().Be(1u, "it is ready");
    }

    [Fact]
    public void State_of_a_release_without_reservations_is_restored()
    {
        // Of the second controller of a subsystem with two namespaces; block 50 of the first cannot be read; error recovery is 42.
        string golden = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Controller", "Golden", "state5.hex")).ReplaceLineEndings("");
        using MemoryDisk first = new(1 << 20, "golden 1"), second = new(2 << 20, "golden 2");
        using NvmeSubsystem subsystem = new([new NvmeNamespace(first), new NvmeNamespace(second) { BlockSize = 4096 }], new NvmeSubsystemOptions { SerialNumber = "GOLDEN" });
        using NvmeController one = new(subsystem), target = new(subsystem);
        using TestGuest guest = TestGuest.Attach(target);

        guest.Migration.Restore(Convert.FromHexString(golden));

        target.Queues.Select(queue => (queue.Id, queue.Entries)).Should().Equal((0, 32), (1, 8));
        target.Statistics.Writes.Should().Be(11);
        subsystem.State.Allocated(1)!.Uncorrectable.Ranges.Should().Equal(new BadRange(50 * 512, 512));
        subsystem.State.Allocated(1)!.Reservations.State.Registrants.Should().BeEmpty();
        guest.Bar0.Read<uint>(0x1C).Should().Be(1u, "it is ready");
    }

    [Theory]
    [InlineData(6, false)] // a release without the Keep Alive Timer
    [InlineData(7, true)] // of 5 s; the host retries as told
    public void State_of_a_release_with_reservations_is_restored(int version, bool keepsAlive)
    {
        // As the one before, of host 7, which holds a reservation of the first namespace and wants no notice of a release there; host 8, of the
        // other controller, has preempted it in the second one, and it has not read the notice.
        string golden = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Controller", "Golden", $"state{version}.hex")).ReplaceLineEndings("");
        using MemoryDisk first = new(1 << 20, "golden 1"), second = new(2 << 20, "golden 2");
        using NvmeSubsystem subsystem = new([new NvmeNamespace(first), new NvmeNamespace(second) { BlockSize = 4096 }], new NvmeSubsystemOptions { SerialNumber = "GOLDEN" });
        using NvmeController one = new(subsystem), target = new(subsystem);
        using TestGuest guest = TestGuest.Attach(target, new TestGuestOptions { TimeProvider = new FakeTimeProvider() });

        guest.Migration.Restore(Convert.FromHexString(golden));

        target.Queues.Select(queue => (queue.Id, queue.Entries)).Should().Equal((0, 32), (1, 8));
        target.Statistics.Writes.Should().Be(11);
        HostIdentifier seven = new(7, IsExtended: true), eight = new(8, IsExtended: true);
        SharedNamespace[] spaces = [subsystem.State.Allocated(1)!, subsystem.State.Allocated(2)!];
        ReservationState[] states = [.. spaces.Select(space => space.Reservations.State)];
        spaces[0].Uncorrectable.Ranges.Should().Equal(new BadRange(50 * 512, 512));
        states.Select(state => (state.Type, state.Holder)).Should().Equal(
            (ReservationType.WriteExclusiveRegistrantsOnly, seven), (ReservationType.None, null));
        states[0].Registrants.Should().Equal(new Registrant(seven, 0xA), new Registrant(eight, 0xB));
        states[1].Registrants.Should().Equal(new Registrant(eight, 0xB));
        Namespace view = spaces[0].Views[1];
        view.NoticeMask.Should().Be(1 << (int)ReservationNoticeKind.ReservationReleased);
        view.Set.Host.Should().Be(seven);
        view.Set.Notices.Saved.Should().BeEquivalentTo((new[] { new SavedNotice(1, 2, (uint)ReservationNoticeKind.RegistrationPreempted) }, 1ul));
        bool wasReady = guest.Bar0.Read<uint>(0x1C) == 1;
        guest.Advance(TimeSpan.FromSeconds(10));
        bool hasFailed = guest.Bar0.Read<uint>(0x1C) == 3;
        (wasReady, hasFailed).Should().Be((true, keepsAlive));
    }
}
