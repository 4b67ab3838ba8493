using System.Text;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

/// <summary>The persistent event log, read by context.</summary>
public class PersistentEventTests
{
    private const uint Read = 0, Establish = 1, Release = 2;

    private static Command Log(uint action, int length = 4096, ulong offset = 0) =>
        NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)LogPageId.PersistentEvents | action << 8 | (uint)(length / 4 - 1) << 16,
            (uint)(length / 4 - 1) >> 16, (uint)offset, (uint)(offset >> 32));

    private static Completion Execute(Machine machine, Command command) => machine.Admin.Execute(command with { Prp1 = machine.NewPage().Value });

    // types of the events in the order of the log, each followed by its data's first four bytes
    private static List<(int Type, uint Data)> Events(Machine machine)
    {
        List<byte> log = [.. machine.Page(Log(Establish))];
        int length = (int)BitConverter.ToUInt64([.. log], 8);
        while (log.Count < length)
            log.AddRange(machine.Page(Log(Read, offset: (ulong)log.Count)));
        NvmeDriver.Expect(Execute(machine, Log(Release)));
        byte[] bytes = [.. log];
        List<(int, uint)> events = [];
        int at = 512;
        for (uint i = 0; i < BitConverter.ToUInt32(bytes, 4); i++)
        {
            events.Add((bytes[at], BitConverter.ToUInt32(bytes, at + bytes[at + 2] + 3)));
            at += bytes[at + 2] + 3 + BitConverter.ToUInt16(bytes, at + 22);
        }
        return events;
    }

    [Fact]
    public void Log_tells_what_happened_newest_first()
    {
        using Machine machine = new();
        Iova stamp = machine.Guest.Place(BitConverter.GetBytes(1_700_000_000_000ul));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, data: stamp, dword10: (uint)FeatureId.Timestamp)));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1)));
        machine.Driver.Disable();
        machine.Driver.Enable();

        List<(int Type, uint Data)> events = Events(machine);

        events.Select(one => one.Type).Should().Equal(1, 4, 8, 7, 0xB, 3, 1, 4);
        (events[2].Data, events[3].Data).Should().Be((1, 1), "the namespace");
    }

    [Fact]
    public void Header_names_the_subsystem_and_the_events_that_there_may_be()
    {
        using Machine machine = new();

        byte[] log = machine.Page(Log(Establish));

        (log[0], BitConverter.ToUInt32(log, 4), BitConverter.ToUInt16(log, 18)).Should().Be(((byte)0x0D, 2u, (ushort)492));
        BitConverter.ToUInt64(log, 8).Should().Be(512 + 1024, "the events, and what pads them");
        byte[] identify = machine.Page(NewCommand.Identify(1, default));
        log.Skip(56).Take(20).Should().Equal(identify.Skip(4).Take(20));
        Encoding.ASCII.GetString(log, 116, 256).Should().Be(Encoding.ASCII.GetString(identify, 768, 256));
        (log[480], log[481]).Should().Be((0b1001_1010, 0b1001));
        (identify[261] & 1 << 4).Should().NotBe(0);
        BitConverter.ToUInt32(identify, 352).Should().Be(1);
    }

    [Fact]
    public void Log_is_read_in_a_context_which_holds_still()
    {
        using Machine machine = new();

        Status early = Execute(machine, Log(Read)).Status;
        byte[] first = machine.Page(Log(Establish));
        Status twice = Execute(machine, Log(Establish)).Status;
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: (uint)FeatureId.WriteAtomicity)));
        byte[] again = machine.Page(Log(Read));
        NvmeDriver.Expect(Execute(machine, Log(Release)));
        NvmeDriver.Expect(Execute(machine, Log(Release)));
        byte[] fresh = machine.Page(Log(Establish));

        (early, twice).Should().Be((Status.CommandSequenceError, Status.CommandSequenceError));
        again.Should().Equal(first);
        BitConverter.ToUInt32(fresh, 4).Should().Be(BitConverter.ToUInt32(first, 4) + 1);
    }

    [Fact]
    public void Reset_ends_the_context()
    {
        using Machine machine = new();
        machine.Page(Log(Establish));

        machine.Driver.Disable();
        machine.Driver.Enable();

        Execute(machine, Log(Read)).Status.Should().Be(Status.CommandSequenceError);
    }

    [Theory]
    [InlineData(3u, 512, 0ul, Status.InvalidField)]
    [InlineData(0x7Fu, 512, 0ul, Status.InvalidField)]
    [InlineData(Establish, 512, 2ul, Status.InvalidField)]
    [InlineData(Establish, 512, 1ul << 40, Status.InvalidField)]
    [InlineData(Establish, 1 << 20, 0ul, Status.InvalidField)] // longer than MDTS
    public void Bad_input_is_refused_and_leaves_no_context(uint action, int length, ulong offset, object status)
    {
        using Machine machine = new();

        Execute(machine, Log(action, length, offset)).Status.Should().Be((Status)status);

        Execute(machine, Log(Read)).Status.Should().Be(Status.CommandSequenceError);
    }

    [Fact]
    public void Oldest_events_go_when_there_is_no_room_for_more()
    {
        using Machine machine = new();

        for (int i = 0; i < 2000; i++)
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: (uint)FeatureId.WriteAtomicity)));
        byte[] log = machine.Page(Log(Establish));

        BitConverter.ToUInt32(log, 4).Should().Be(PersistentEvents.MaxLength / (24 + 12));
        BitConverter.ToUInt64(log, 8).Should().BeLessThan(64 << 10);
    }
}
