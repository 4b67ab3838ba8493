using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Reservations;

/// <summary>Hosts, and the keys that they register.</summary>
public class RegistrationTests
{
    [Fact]
    public void Controllers_of_a_subsystem_say_that_there_are_reservations_and_others_do_not()
    {
        using SharedDisks shared = new();
        using Machine alone = new();

        byte[] controller = shared[0].Page(NewCommand.Identify(1, default)), lone = alone.Page(NewCommand.Identify(1, default));
        (BitConverter.ToUInt16(controller, 520) >> 5 & 1, BitConverter.ToUInt32(controller, 96)).Should().Be((1, 1u | 1 << 18));
        (BitConverter.ToUInt16(lone, 520) >> 5 & 1, BitConverter.ToUInt32(lone, 96)).Should().Be((0, 0u));
        shared[0].Page(NewCommand.Identify(0, default, 1))[31].Should().Be(0xFE, "all types, and nothing outlasts a program without a file");
        shared[0].Page(NewCommand.Identify(8, default, 1))[2].Should().Be(0xFE);
        alone.Page(NewCommand.Identify(0, default, 1))[31].Should().Be(0);
        DriverQueue queue = alone.Driver.CreateQueue(1);
        foreach (IoOpcode opcode in new[] { IoOpcode.ReservationRegister, IoOpcode.ReservationReport, IoOpcode.ReservationAcquire, IoOpcode.ReservationRelease })
            queue.Execute(NewCommand.Io(opcode, 0, 1, alone.NewPage())).Status.Should().Be(Status.InvalidOpcode);
        foreach (uint feature in new[] { 0x81u, 0x82u, 0x83u })
            alone.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 1, alone.NewPage(), feature)).Status.Should().Be(Status.InvalidField);
        alone.Admin.Execute(NewCommand.Admin(AdminOpcode.GetLogPage, 0, alone.NewPage(), 0x80 | 15 << 16)).Status.Should().Be(Status.InvalidLogPage);
        byte[] effects = shared[0].Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, 5 | 1023u << 16));
        byte[] loneEffects = alone.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, 5 | 1023u << 16));
        (effects[1024 + 0x0D * 4], loneEffects[1024 + 0x0D * 4]).Should().Be(((byte)1, (byte)0));
    }

    [Fact]
    public void Host_without_an_identifier_registers_nothing_and_none_is_no_identifier()
    {
        using SharedDisks shared = new();
        DriverQueue queue = shared[0].Driver.CreateQueue(1);

        shared[0].SetHost(0).Should().Be(Status.InvalidField);
        shared[0].SetHost(0, extended: false).Should().Be(Status.InvalidField);

        shared[0].Register(queue, 1).Should().Be(Status.HostIdNotInitialized);
        shared[0].Acquire(queue, 1, ReservationType.WriteExclusive).Should().Be(Status.HostIdNotInitialized);
        shared[0].Release(queue, 1, ReservationType.WriteExclusive).Should().Be(Status.HostIdNotInitialized);
        shared[0].Report(queue).Registrants.Should().BeEmpty();
        shared[0].Report(queue, extended: false).Registrants.Should().BeEmpty();
    }

    [Fact]
    public void Identifiers_of_a_subsystem_have_one_length()
    {
        using SharedDisks shared = new(controllers: 2);
        DriverQueue first = shared[0].QueueOf(7, extended: false);

        shared[1].SetHost(8).Should().Be(Status.HostIdInconsistentFormat);
        DriverQueue second = shared[1].QueueOf(8, extended: false);
        shared[0].Register(first, 0x11).Should().Be(Status.Success);

        shared[1].Report(second, extended: false).Registrants.Should().Equal(((ushort)0, false, (UInt128)7, 0x11ul));
        second.Execute(ReservationGuest.ReportInto(shared[1].NewPage(), 4096)).Status.Should().Be(Status.HostIdInconsistentFormat);
        Iova page = shared[1].NewPage();
        NvmeDriver.Expect(shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 0, page, 0x81)));
        shared[1].Read(page, 8).Should().Equal(8, 0, 0, 0, 0, 0, 0, 0);
        shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, 0, page, 0x81, 1)).Status.Should().Be(Status.HostIdInconsistentFormat);
    }

    [Fact]
    public void Reset_forgets_the_identifier_and_not_the_registration()
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].QueueOf(7), second = shared[1].QueueOf(8);
        shared[0].Register(first, 0x11).Should().Be(Status.Success);
        shared[0].Acquire(first, 0x11, ReservationType.WriteExclusive).Should().Be(Status.Success);

        shared[0].Driver.Disable();
        ReservationGuest.Reported without = shared[1].Report(second);
        shared[0].Driver.Enable();
        first = shared[0].Driver.CreateQueue(1);

        without.Registrants.Should().Equal(((ushort)0xFFFF, true, (UInt128)7, 0x11ul));
        first.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())).Status.Should().Be(Status.ReservationConflict);
        shared[0].Register(first, 0x11).Should().Be(Status.HostIdNotInitialized);
        shared[0].SetHost(7).Should().Be(Status.Success);
        NvmeDriver.Expect(first.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())));
    }

    [Fact]
    public void Two_controllers_of_one_host_are_one_registrant()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(7), second = shared[1].QueueOf(7), other = shared[2].QueueOf(9);

        shared[0].Register(first, 0x11).Should().Be(Status.Success);
        shared[1].Acquire(second, 0x11, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        foreach (DriverQueue queue in new[] { first, second })
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[queue == first ? 0 : 1].NewPage())));
        other.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, shared[2].NewPage())).Status.Should().Be(Status.ReservationConflict);
        ReservationGuest.Reported report = shared[2].Report(other);
        report.Type.Should().Be(ReservationType.ExclusiveAccess);
        report.Registrants.Should().Equal(((ushort)0, true, (UInt128)7, 0x11ul), ((ushort)1, true, (UInt128)7, 0x11ul));
    }

    [Fact]
    public void Keys_are_registered_once_replaced_and_given_up_by_who_knows_them()
    {
        using SharedDisks shared = new();
        DriverQueue queue = shared[0].QueueOf(UInt128.MaxValue);

        shared[0].Register(queue, 0x11).Should().Be(Status.Success);
        shared[0].Register(queue, 0x11).Should().Be(Status.Success, "it is the same key");
        shared[0].Register(queue, 0x22).Should().Be(Status.ReservationConflict);
        shared[0].Register(queue, 0).Should().Be(Status.InvalidField);
        shared[0].Replace(queue, 0x99, 0x22).Should().Be(Status.ReservationConflict);
        shared[0].Replace(queue, 0x11, 0x22).Should().Be(Status.Success);
        shared[0].Replace(queue, 0x99, 0x33, ignore: true).Should().Be(Status.Success);
        shared[0].Report(queue).Should().BeEquivalentTo(new { Generation = 4u, Type = ReservationType.None, IsPersistent = false });
        shared[0].Report(queue).Registrants.Should().Equal(((ushort)0, false, UInt128.MaxValue, 0x33ul));
        shared[0].Unregister(queue, 0x11).Should().Be(Status.ReservationConflict);
        shared[0].Unregister(queue, 0x33).Should().Be(Status.Success);
        shared[0].Unregister(queue, 0x33).Should().Be(Status.ReservationConflict);
        shared[0].Unregister(queue, 0, ignore: true).Should().Be(Status.Success, "no key is checked, and none missed");
        shared[0].Replace(queue, 0, 0x44).Should().Be(Status.ReservationConflict, "it is not registered");
        shared[0].Replace(queue, 0, 0x44, ignore: true).Should().Be(Status.Success);
        shared[0].Report(queue).Registrants.Should().Equal(((ushort)0, false, UInt128.MaxValue, 0x44ul));
    }

    [Fact]
    public void Guest_that_registers_under_ever_new_identifiers_is_stopped()
    {
        using SharedDisks shared = new();
        DriverQueue queue = shared[0].QueueOf(1);
        for (uint host = 1; host <= ReservationState.MaxRegistrants; host++)
        {
            shared[0].SetHost(host).Should().Be(Status.Success);
            shared[0].Register(queue, 5).Should().Be(Status.Success);
        }

        shared[0].SetHost(ReservationState.MaxRegistrants + 1).Should().Be(Status.Success);

        shared[0].Register(queue, 5).Should().Be(Status.InternalError);
        shared[0].Replace(queue, 5, 5, ignore: true).Should().Be(Status.InternalError);
        DriverQueue other = shared[1].QueueOf(ReservationState.MaxRegistrants);
        shared[1].Clear(other, 5).Should().Be(Status.Success);
        shared[0].Register(queue, 5).Should().Be(Status.Success);
    }

    [Fact]
    public void Commands_with_values_that_there_are_not_change_nothing()
    {
        using SharedDisks shared = new();
        DriverQueue queue = shared[0].QueueOf(7);
        shared[0].Register(queue, 0x11).Should().Be(Status.Success);

        foreach (uint action in new uint[] { 3, 4, 5, 6, 7, 1u << 30 })
            shared[0].Reserve(queue, IoOpcode.ReservationRegister, action, 0x11, 0x22).Should().Be(Status.InvalidField);
        foreach (uint action in new uint[] { 1 << 8 | 3, 1 << 8 | 7, 0 << 8, 7 << 8, 0xFF << 8, 1 << 8 | ReservationGuest.Ignore })
            shared[0].Reserve(queue, IoOpcode.ReservationAcquire, action, 0x11, 0).Should().Be(Status.InvalidField);
        foreach (uint action in new uint[] { 2, 7, 1 | ReservationGuest.Ignore })
            shared[0].Reserve(queue, IoOpcode.ReservationRelease, action, 0x11, 0).Should().Be(Status.InvalidField);
        queue.Execute(NewCommand.Io(IoOpcode.ReservationRegister, 0, 1, new Iova(0x7FFF_FFFF_F000)) with { Dword12 = 0 }).Status.Should().Be(Status.DataTransferError);
        shared[0].Register(queue, 0x11, nsid: 0).Should().Be(Status.InvalidNamespace);
        shared[0].Register(queue, 0x11, nsid: 9).Should().Be(Status.InvalidField);
        shared[0].Register(queue, 0x11, nsid: 0xFFFF_FFFF).Should().Be(Status.InvalidNamespace);
        shared[0].Report(queue).Should().BeEquivalentTo(new { Generation = 1u, Type = ReservationType.None });
    }

    [Fact]
    public void Report_has_as_much_as_was_asked_for_and_no_more_than_there_is()
    {
        using SharedDisks shared = new();
        DriverQueue queue = shared[0].QueueOf(7);
        shared[0].Register(queue, 0x11).Should().Be(Status.Success);
        Iova page = shared[0].Place(Enumerable.Repeat((byte)0xEE, 4096).ToArray());

        NvmeDriver.Expect(queue.Execute(ReservationGuest.ReportInto(page, 4096)));
        byte[] all = shared[0].Read(page, 4096);
        shared[0].Guest.Memory.Write(page, Enumerable.Repeat((byte)0xEE, 4096).ToArray());
        NvmeDriver.Expect(queue.Execute(ReservationGuest.ReportInto(page, 4)));
        byte[] four = shared[0].Read(page, 8);
        NvmeDriver.Expect(queue.Execute(ReservationGuest.ReportInto(page, 4096) with { Dword10 = uint.MaxValue }));

        all.Skip(128).Should().AllBeEquivalentTo((byte)0xEE);
        four.Should().Equal(1, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE);
    }
}
