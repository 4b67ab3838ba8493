using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Reservations;

/// <summary>What a driver hears of the commands of other hosts.</summary>
public class NoticeTests
{
    private const uint NoticeEvent = 6 | 0x80 << 16;
    private const byte RegistrationPreempted = 1, ReservationReleased = 2, ReservationPreempted = 3;

    private static SharedDisks Registered(out DriverQueue[] queues)
    {
        SharedDisks shared = new(controllers: 3);
        queues = [.. Enumerable.Range(0, 3).Select(i => shared[i].QueueOf((UInt128)i + 1))];
        for (int i = 0; i < 3; i++)
            shared[i].Register(queues[i], (ulong)i + 1).Should().Be(Status.Success);
        return shared;
    }

    [Fact]
    public void Preempted_host_is_told_and_so_are_others_if_the_type_changes()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        shared[0].Acquire(queues[0], 1, ReservationType.WriteExclusive).Should().Be(Status.Success);
        for (int i = 0; i < 3; i++)
            shared[i].Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));

        shared[1].Preempt(queues[1], 2, 1, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        shared[0].Admin.Take().Result.Should().Be(NoticeEvent);
        shared[0].ReadNotice().Should().Be((1ul, RegistrationPreempted, 1u, (byte)0));
        shared[2].Admin.Take().Result.Should().Be(NoticeEvent);
        shared[2].ReadNotice().Should().Be((1ul, ReservationReleased, 1u, (byte)0));
        shared[1].ReadNotice().Should().Be((0ul, (byte)0, 0u, (byte)0), "it has done it");
        shared[1].Admin.TryTake(out _).Should().BeFalse();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(5, true)]
    [InlineData(6, true)]
    public void Release_is_told_if_it_gives_registrants_something(int type, bool told)
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        shared[0].Acquire(queues[0], 1, (ReservationType)type).Should().Be(Status.Success);

        shared[0].Release(queues[0], 1, (ReservationType)type).Should().Be(Status.Success);

        shared[1].ReadNotice().Kind.Should().Be(told ? ReservationReleased : (byte)0);
        shared[0].ReadNotice().Kind.Should().Be(0);
    }

    [Fact]
    public void Holder_that_unregisters_is_told_of_where_registrants_share()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        shared[0].Acquire(queues[0], 1, ReservationType.ExclusiveAccessRegistrantsOnly).Should().Be(Status.Success);

        shared[0].Unregister(queues[0], 1).Should().Be(Status.Success);

        shared[2].ReadNotice().Should().Be((1ul, ReservationReleased, 1u, (byte)0));
    }

    [Fact]
    public void Clear_is_told_to_all_that_were_registered()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);

        shared[2].Clear(queues[2], 3).Should().Be(Status.Success);

        shared[0].ReadNotice().Kind.Should().Be(ReservationPreempted);
        shared[1].ReadNotice().Kind.Should().Be(ReservationPreempted);
        shared[2].ReadNotice().Kind.Should().Be(0);
    }

    [Fact]
    public void Notices_are_read_one_by_one_and_the_event_comes_for_each_until_all_are_read()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        for (int turn = 0; turn < 3; turn++)
        {
            shared[0].Acquire(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
            shared[0].Release(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        }

        for (byte left = 3; left > 0; left--)
        {
            shared[1].Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
            shared[1].Admin.Take().Result.Should().Be(NoticeEvent);
            shared[1].ReadNotice().Should().Be((4ul - left, ReservationReleased, 1u, (byte)(left - 1)));
        }

        shared[1].Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        shared[1].ReadNotice().Kind.Should().Be(0);
        shared[1].Admin.TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Notices_that_nobody_reads_are_counted_and_not_kept_without_end()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        for (int turn = 0; turn < ReservationNotices.Most + 10; turn++)
        {
            shared[0].Acquire(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
            shared[0].Release(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        }

        for (int i = 0; i < ReservationNotices.Most; i++)
            shared[1].ReadNotice().Should().Be(((ulong)i + 1, ReservationReleased, 1u, (byte)(ReservationNotices.Most - 1 - i)));
        shared[1].ReadNotice().Kind.Should().Be(0);
        shared[0].Acquire(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        shared[0].Release(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        shared[1].ReadNotice().Count.Should().Be(ReservationNotices.Most + 11, "the driver sees that it has missed some");
    }

    [Fact]
    public void Driver_masks_what_it_does_not_want_for_a_namespace_or_for_all()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        Status Mask(uint nsid, uint mask) => shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, nsid, default, 0x82, mask)).Status;
        Completion Masked(uint nsid, uint select = 0) => shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, nsid, default, 0x82 | select << 8));

        Mask(1, 0xFFFF_FFFC).Should().Be(Status.Success);
        shared[0].Acquire(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        shared[0].Release(queues[0], 1, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        shared[0].Clear(queues[0], 1).Should().Be(Status.Success);

        Masked(1).Result.Should().Be(0b1100);
        Masked(1, select: 1).Result.Should().Be(0);
        Masked(1, select: 3).Result.Should().Be(0b110, "changeable, and of the namespace");
        shared[1].ReadNotice().Kind.Should().Be(0);
        shared[2].ReadNotice().Kind.Should().Be(ReservationReleased);
        Mask(0xFFFF_FFFF, 0).Should().Be(Status.Success);
        Masked(1).Result.Should().Be(0);
        Masked(0xFFFF_FFFF).Status.Should().Be(Status.InvalidNamespace);
        Mask(9, 2).Should().Be(Status.InvalidField);
        Mask(0, 2).Should().Be(Status.InvalidNamespace);
    }

    [Fact]
    public void Reset_drops_notices_and_masks()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        NvmeDriver.Expect(shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 1, default, 0x82, 2)));
        shared[0].Clear(queues[0], 1).Should().Be(Status.Success);

        shared[1].Driver.Disable();
        shared[1].Driver.Enable();

        shared[1].ReadNotice().Kind.Should().Be(0);
        shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 1, default, 0x82)).Result.Should().Be(0);
        shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 0, shared[1].Place(new byte[4096]), 0x81, 1)).Status.Should().Be(Status.Success);
    }

    [Fact]
    public void Log_is_read_within_its_bounds()
    {
        using SharedDisks shared = Registered(out DriverQueue[] queues);
        shared[0].Clear(queues[0], 1).Should().Be(Status.Success);
        Command Log(uint dwords, uint offset) => NewCommand.Admin(AdminOpcode.GetLogPage, 0, shared[1].NewPage(), 0x80 | (dwords - 1) << 16, 0, offset);

        shared[1].Admin.Execute(Log(16, 2)).Status.Should().Be(Status.InvalidField);
        shared[1].Admin.Execute(Log(16, 68)).Status.Should().Be(Status.InvalidField);
        shared[1].Admin.Execute(Log(16, 0) with { Dword11 = 0xFFFF }).Status.Should().Be(Status.InvalidField);
        shared[1].Admin.Execute(Log(4, 0)).Status.Should().Be(Status.Success, "the first half of it");

        shared[1].ReadNotice().Kind.Should().Be(ReservationPreempted, "it was not read to its end");
    }
}
