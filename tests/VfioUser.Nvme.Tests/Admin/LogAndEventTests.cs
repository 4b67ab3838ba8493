using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

public class LogAndEventTests
{
    private static Command Log(LogPageId id, int length, ulong offset = 0) =>
        NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)id | (uint)(length / 4 - 1) << 16, 0, (uint)offset, (uint)(offset >> 32));

    [Fact]
    public void Failed_commands_stand_in_the_error_log_newest_first()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.PutAs(77, NewCommand.Io(IoOpcode.Read, 1 << 20, 1, machine.NewPage()));
        queue.Ring();
        queue.Take();
        machine.Admin.PutAs(88, NewCommand.Admin((AdminOpcode)0x7F));
        machine.Admin.Ring();
        machine.Admin.Take();

        byte[] page = machine.Page(Log(LogPageId.Error, 4096));

        BitConverter.ToUInt64(page, 0).Should().Be(2);
        BitConverter.ToUInt16(page, 8).Should().Be(0);
        BitConverter.ToUInt16(page, 10).Should().Be(88);
        BitConverter.ToUInt64(page, 64).Should().Be(1);
        BitConverter.ToUInt16(page, 64 + 8).Should().Be(1);
        BitConverter.ToUInt16(page, 64 + 10).Should().Be(77);
        (BitConverter.ToUInt16(page, 64 + 12) >> 1 & 0x7FF).Should().Be((int)Status.LbaOutOfRange);
        BitConverter.ToUInt64(page, 64 + 16).Should().Be(1 << 20);
        BitConverter.ToUInt64(page, 128).Should().Be(0);
    }

    [Fact]
    public void Smart_log_counts_what_was_done()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 8, machine.NewPage())));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 8, machine.NewPage())));

        byte[] page = machine.Page(Log(LogPageId.Smart, 512));

        BitConverter.ToUInt16(page, 1).Should().Be(308);
        BitConverter.ToUInt64(page, 32).Should().Be(1, "a thousand sectors, begun");
        BitConverter.ToUInt64(page, 64).Should().Be(1);
        BitConverter.ToUInt64(page, 80).Should().Be(1);
    }

    [Fact]
    public void Log_can_be_read_from_an_offset_and_ends_in_zeros()
    {
        using Machine machine = new();

        byte[] whole = machine.Page(Log(LogPageId.CommandsSupportedAndEffects, 4096));
        byte[] part = machine.Page(Log(LogPageId.CommandsSupportedAndEffects, 512, offset: 1024));

        part.Take(512).Should().Equal(whole.Skip(1024).Take(512));
        BitConverter.ToUInt32(part, (int)IoOpcode.Read * 4).Should().Be(1u);
        BitConverter.ToUInt32(whole, (int)AdminOpcode.FirmwareCommit * 4).Should().Be(0u);
    }

    [Theory]
    [InlineData(0x00, 512, 0ul, Status.InvalidLogPage)] // version 2.0's
    [InlineData(0x02, 512, 516ul, Status.InvalidField)] // behind the page's end
    [InlineData(0x03, 512, 1024ul, Status.InvalidField)]
    [InlineData(0x05, 512, 4100ul, Status.InvalidField)]
    [InlineData(6, 564, 568ul, Status.InvalidField)]
    [InlineData(7, 512, 0ul, Status.InvalidLogPage)] // telemetry
    [InlineData(0x70, 512, 0ul, Status.InvalidLogPage)]
    [InlineData(0x01, 512, 2ul, Status.InvalidField)]
    [InlineData(0x01, 512, 0x1_0000_0000ul, Status.InvalidField)]
    [InlineData(0x01, 1 << 20, 0ul, Status.InvalidField)] // longer than MDTS
    public void Log_pages_that_do_not_exist_are_refused(int id, int length, ulong offset, object status)
    {
        using Machine machine = new();
        Command command = NewCommand.Admin(AdminOpcode.GetLogPage, 0, machine.NewPage(),
            (uint)id | (uint)(length / 4 - 1) << 16, (uint)(length / 4 - 1) >> 16, (uint)offset, (uint)(offset >> 32));

        machine.Admin.Execute(command).Status.Should().Be((Status)status);
    }

    [Theory]
    [InlineData(0u, Status.Success)]
    [InlineData(0xFFFF_FFFFu, Status.Success)]
    [InlineData(1u, Status.InvalidField)]
    public void Smart_log_is_of_the_controller_and_not_of_a_namespace(uint nsid, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(Log(LogPageId.Smart, 512) with { Nsid = nsid, Prp1 = machine.NewPage().Value }).Status.Should().Be((Status)status);
    }

    [Fact]
    public void Verified_blocks_count_as_read_and_verify_as_no_read_command()
    {
        using Machine machine = new();
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Verify, 0, 4000)));

        byte[] page = machine.Page(Log(LogPageId.Smart, 512));

        BitConverter.ToUInt64(page, 32).Should().Be(4);
        BitConverter.ToUInt64(page, 64).Should().Be(0);
    }

    [Fact]
    public void Event_completes_a_request_once_until_its_log_is_read()
    {
        using Machine machine = new();
        ushort request = machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));

        machine.Guest.Bar0.Write(0x1000 + 3 * 8, 1u); // a queue that there is not
        Completion first = machine.Admin.Take();
        machine.Guest.Bar0.Write(0x1000 + 3 * 8, 1u);
        machine.Page(Log(LogPageId.Error, 64));
        machine.Guest.Bar0.Write(0x1000 + 4, 99u); // a head beyond the queue
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1)); // has the head looked at
        Completion[] next = [machine.Admin.Take(), machine.Admin.Take()];

        first.CommandId.Should().Be(request);
        first.Result.Should().Be(0x0001_0000u, "invalid doorbell register, and the log page");
        next.Should().ContainSingle(completion => completion.Result == 0x0001_0100u, "invalid doorbell value");
    }

    [Fact]
    public void Too_many_requests_are_refused_and_one_can_be_aborted()
    {
        using Machine machine = new();
        ushort first = machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        for (int i = 0; i < 3; i++)
            machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));

        Completion fifth = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.Abort, dword10: (uint)first << 16));
        Completion aborted = machine.Admin.Take();
        Completion abort = machine.Admin.Take();
        Completion unknown = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.Abort, dword10: 1234u << 16));

        fifth.Status.Should().Be(Status.AsyncEventLimitExceeded);
        aborted.CommandId.Should().Be(first);
        aborted.Status.Should().Be(Status.AbortRequested);
        abort.Result.Should().Be(0u);
        unknown.Result.Should().Be(1u, "not aborted");
    }

    [Fact]
    public void Temperature_beyond_the_threshold_is_told()
    {
        using Machine machine = new();
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: 2)));

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 4, dword11: 300));

        Completion[] both = [machine.Admin.Take(), machine.Admin.Take()];
        both.Should().ContainSingle(completion => completion.Result == 0x0002_0101u);
        (machine.Page(Log(LogPageId.Smart, 512))[0] & 2).Should().Be(2);
    }

    [Theory]
    [InlineData((byte)AdminOpcode.FirmwareCommit)]
    [InlineData((byte)AdminOpcode.FirmwareDownload)]
    [InlineData((byte)0x19)] // directives
    [InlineData((byte)0xFF)]
    public void Command_that_the_controller_has_not_is_refused(byte opcode)
    {
        using Machine machine = new();

        Completion completion = machine.Admin.Execute(NewCommand.Admin((AdminOpcode)opcode));

        completion.Status.Should().Be(Status.InvalidOpcode);
        completion.DoNotRetry.Should().BeTrue();
    }

    [Theory]
    [InlineData((byte)0x40)] // an SGL
    [InlineData((byte)0x01)] // fused
    public void Admin_commands_have_prps_and_are_not_fused(byte flags)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Identify(1, machine.NewPage()) with { Flags = flags }).Status.Should().Be(Status.InvalidField);
    }
}
