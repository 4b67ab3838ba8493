using Nvme.Driver;
using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Reservations;

/// <summary>Reservations after the program has ended, and on another host.</summary>
public sealed class PersistenceTests : IDisposable
{
    private const uint Forget = 2, Keep = 3;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");
    private readonly MemoryDisk _disk = new(1 << 20, "reserved");

    private string ReservationPath => Path.Combine(_folder.FullName, "reservations");

    public void Dispose()
    {
        _disk.Dispose();
        _folder.Delete(recursive: true);
    }

    private SharedDisks Start(bool withFile = true) => new([new NvmeNamespace(_disk) { ReservationPath = withFile ? ReservationPath : null }]);

    [Fact]
    public void Reservation_that_is_to_be_kept_outlasts_the_program()
    {
        using (SharedDisks first = Start())
        {
            DriverQueue queue = first[0].QueueOf(7);
            first[0].Page(NewCommand.Identify(0, default, 1))[31].Should().Be(0xFF);
            first[0].Register(queue, 0x11, Keep).Should().Be(Status.Success);
            first[0].Acquire(queue, 0x11, ReservationType.ExclusiveAccess).Should().Be(Status.Success);
        }

        using SharedDisks second = Start();
        DriverQueue again = second[0].QueueOf(7), other = second[1].QueueOf(8);

        second[1].Report(other).Should().BeEquivalentTo(new { Generation = 1u, Type = ReservationType.ExclusiveAccess, IsPersistent = true });
        other.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, second[1].NewPage())).Status.Should().Be(Status.ReservationConflict);
        NvmeDriver.Expect(again.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, second[0].NewPage())));
        second[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 1, default, 0x83)).Result.Should().Be(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Reservation_that_is_to_end_with_the_program_does(bool byFeature)
    {
        using (SharedDisks first = Start())
        {
            DriverQueue queue = first[0].QueueOf(7);
            first[0].Register(queue, 0x11, Keep).Should().Be(Status.Success);
            first[0].Acquire(queue, 0x11, ReservationType.ExclusiveAccess).Should().Be(Status.Success);
            if (byFeature)
                NvmeDriver.Expect(first[0].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 1, default, 0x83)));
            else
                first[0].Register(queue, 0x11, Forget).Should().Be(Status.Success);
        }

        using SharedDisks second = Start();

        second[0].Report(second[0].QueueOf(7)).Should().BeEquivalentTo(new { Type = ReservationType.None, IsPersistent = false });
        second[0].Report(second[0].Driver.CreateQueue(2)).Registrants.Should().BeEmpty();
    }

    [Fact]
    public void Without_a_file_nobody_is_told_that_reservations_are_kept()
    {
        using SharedDisks shared = Start(withFile: false);
        DriverQueue queue = shared[0].QueueOf(7);

        shared[0].Register(queue, 0x11, Keep).Should().Be(Status.InvalidField);
        shared[0].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 1, default, 0x83, 1)).Status.Should().Be(Status.InvalidField);

        shared[0].Report(queue).Registrants.Should().BeEmpty();
        shared[0].Register(queue, 0x11, Forget).Should().Be(Status.Success);
    }

    [Fact]
    public void Command_whose_outcome_cannot_be_kept_changes_nothing()
    {
        using SharedDisks shared = new([new NvmeNamespace(_disk) { ReservationPath = Path.Combine(_folder.FullName, "missing", "reservations") }]);
        DriverQueue queue = shared[0].QueueOf(7);

        shared[0].Register(queue, 0x11, Keep).Should().Be(Status.InternalError);
        shared[0].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 1, default, 0x83, 1)).Status.Should().Be(Status.InternalError);

        shared[0].Report(queue).Should().BeEquivalentTo(new { Generation = 0u, IsPersistent = false });
        shared[0].Report(queue).Registrants.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Write_that_a_power_loss_has_torn_leaves_the_one_before(int torn)
    {
        using (SharedDisks first = Start())
        {
            DriverQueue queue = first[0].QueueOf(7);
            first[0].Register(queue, 0x11, Keep).Should().Be(Status.Success);
            first[0].Replace(queue, 0x11, 0x22).Should().Be(Status.Success);
        }
        byte[] bytes = File.ReadAllBytes(ReservationPath);
        bytes[torn * 8192 + 200] ^= 0xFF;
        File.WriteAllBytes(ReservationPath, bytes);

        using SharedDisks second = Start();

        second[0].Report(second[0].QueueOf(7)).Registrants.Should().Equal(((ushort)0, false, (UInt128)7, torn == 0 ? 0x22ul : 0x11));
    }

    [Fact]
    public void File_of_something_else_is_refused_and_left_alone()
    {
        File.WriteAllBytes(ReservationPath, Enumerable.Repeat((byte)7, 20_000).ToArray());
        FluentActions.Invoking(() => Start()).Should().Throw<IOException>().WithMessage($"*{ReservationPath}*");
        File.Delete(ReservationPath);
        using (SharedDisks first = Start())
            first[0].Register(first[0].QueueOf(7), 0x11, Keep).Should().Be(Status.Success);

        using MemoryDisk other = new(1 << 20);
        FluentActions.Invoking(() => new NvmeSubsystem([new NvmeNamespace(other) { ReservationPath = ReservationPath }])).Should().Throw<IOException>("it is another disk's");
        FluentActions.Invoking(() => new NvmeController([new NvmeNamespace(other) { ReservationPath = ReservationPath }])).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Hosts_notices_masks_and_reservations_move_with_the_controllers()
    {
        using SharedDisks source = Start(withFile: false);
        DriverQueue first = source[0].QueueOf(7), second = source[1].QueueOf(8);
        source[0].Register(first, 0x11).Should().Be(Status.Success);
        source[1].Register(second, 0x22).Should().Be(Status.Success);
        source[0].Acquire(first, 0x11, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        source[0].Release(first, 0x11, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        NvmeDriver.Expect(source[1].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 1, default, 0x82, 2)));
        byte[] early = source[0].Guest.Migration.Save();
        source[1].Acquire(second, 0x22, ReservationType.ExclusiveAccess).Should().Be(Status.Success); // the other one runs on
        byte[] late = source[1].Guest.Migration.Save();

        using NvmeSubsystem subsystem = new([new NvmeNamespace(_disk)]);
        using NvmeController firstTarget = new(subsystem), secondTarget = new(subsystem);
        using TestGuest firstGuest = TestGuest.Attach(firstTarget), secondGuest = TestGuest.Attach(secondTarget);
        secondGuest.Migration.Restore(late);
        firstGuest.Migration.Restore(early);

        ReservationState state = subsystem.State.Allocated(1)!.Reservations.State;
        state.Type.Should().Be(ReservationType.ExclusiveAccess, "what came later counts, whichever was restored last");
        state.Holder.Should().Be(new HostIdentifier(8, true));
        state.Registrants.Select(registrant => registrant.Key).Should().Equal(0x11ul, 0x22ul);
        NamespaceSet set = subsystem.State.Find(1)!;
        (set.Host, set.Attached(1)!.NoticeMask).Should().Be((new HostIdentifier(8, true), 2u));
        set.Notices.Saved.Waiting.Should().Equal(new SavedNotice(1, 1, (uint)ReservationNoticeKind.ReservationReleased));
    }

    [Fact]
    public void Earlier_life_of_the_target_does_not_come_back()
    {
        using SharedDisks target = Start(withFile: false);
        DriverQueue queue = target[0].QueueOf(7);
        for (ulong key = 1; key < 9; key++)
            target[0].Replace(queue, 0, key, ignore: true).Should().Be(Status.Success);
        using SharedDisks source = Start(withFile: false);
        source[0].Register(source[0].QueueOf(8), 0x22).Should().Be(Status.Success);

        target[0].Guest.Migration.Restore(source[0].Guest.Migration.Save());

        target.Subsystem.State.Allocated(1)!.Reservations.State.Registrants.Should().Equal(new Registrant(new HostIdentifier(8, true), 0x22));
    }

    [Fact]
    public void Target_without_a_file_refuses_what_is_to_be_kept_and_one_with_a_file_keeps_it()
    {
        using SharedDisks source = Start();
        source[0].Register(source[0].QueueOf(7), 0x11, Keep).Should().Be(Status.Success);
        byte[] state = source[0].Guest.Migration.Save();
        using SharedDisks without = Start(withFile: false);

        FluentActions.Invoking(() => without[0].Guest.Migration.Restore(state)).Should().Throw<VfioUserException>();
        File.Delete(ReservationPath);
        using (SharedDisks with = Start())
            with[0].Guest.Migration.Restore(state);

        using SharedDisks later = Start();
        later[0].Report(later[0].QueueOf(7)).Registrants.Should().Equal(((ushort)0, false, (UInt128)7, 0x11ul));
    }
}
