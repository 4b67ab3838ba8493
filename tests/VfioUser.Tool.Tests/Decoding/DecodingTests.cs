using System.Text;
using VfioUser.Protocol;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Tests.Tracing;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Tests.Decoding;

/// <summary>Each command in words, request and reply.</summary>
public class DecodingTests
{
    public static TheoryData<Command, bool, byte[], string> Messages => new()
    {
        { Command.Version, false, [0, 0, 1, 0, .. "{}\0"u8], "version 0.1, data {}" },
        { Command.Version, true, [0, 0, 1, 0], "version 0.1" },
        { Command.DmaMap, false, Of(new DmaMap(32, DmaMapFlags.Readable, 0x1000, 0x2000, 0x3000)), "address 0x2000, size 0x3000, offset 0x1000, flags Readable" },
        { Command.DmaMap, true, [], "" },
        { Command.DmaUnmap, false, Of(new DmaUnmap(24, DmaUnmapFlags.All, 0, 0)), "address 0x0, size 0x0, flags All" },
        { Command.DmaUnmap, true, [.. Of(new DmaUnmap(48, DmaUnmapFlags.GetDirtyBitmap, 0x1000, 0x1000)), .. Of(new DirtyBitmap(4096, 8)), 1, 0, 0, 0, 0, 0, 0, 0],
            "address 0x1000, size 0x1000, flags GetDirtyBitmap, pgsize 4096, bitmap 8, value 0x1" },
        { Command.DeviceGetInfo, false, Of(new DeviceInfo(16, DeviceFlags.None, 0, 0)), "argsz 16" },
        { Command.DeviceGetInfo, true, Of(new DeviceInfo(16, DeviceFlags.Reset | DeviceFlags.Pci, 9, 5)), "flags Reset|Pci, regions 9, irqs 5" },
        { Command.DeviceGetRegionInfo, false, Of(new RegionInfo(32, RegionFlags.None, 2, 0, 0, 0)), "region bar2, argsz 32" },
        { Command.DeviceGetRegionInfo, true,
            [.. Of(new RegionInfo(64, RegionFlags.Read | RegionFlags.Caps, 2, 32, 0x4000, 0)), .. Of(new RegionCapHeader(RegionCapId.SparseMmap, 1, 0)), .. Of(new SparseMmap(1, 0)), .. Of(new SparseMmapArea(0x1000, 0x2000))],
            "region bar2, argsz 64, size 0x4000, flags Read|Caps, offset 0x0, SparseMmap [0x1000+0x2000]" },
        { Command.DeviceGetRegionIoFds, false, Of(new RegionIoFds(16, 0, 0, 0)), "region bar0" },
        { Command.DeviceGetRegionIoFds, true, Of(new RegionIoFds(16, 0, 0, 3)), "region bar0, count 3" },
        { Command.DeviceGetIrqInfo, false, Of(new IrqInfo(16, IrqInfoFlags.None, 1, 0)), "irq msi" },
        { Command.DeviceGetIrqInfo, true, Of(new IrqInfo(16, IrqInfoFlags.EventFd, 1, 4)), "irq msi, count 4, flags EventFd" },
        { Command.DeviceSetIrqs, false, [.. Of(new IrqSet(21, IrqSetFlags.DataBool | IrqSetFlags.ActionMask, 0, 0, 1)), 1], "irq intx, flags DataBool|ActionMask, start 0, count 1, bools 01" },
        { Command.DeviceSetIrqs, true, [], "" },
        { Command.RegionRead, false, Of(new RegionAccess(0x10, 7, 4)), "region config, offset 0x10, count 4, register BAR0" },
        { Command.RegionRead, true, [.. Of(new RegionAccess(0x10, 7, 4)), 1, 2, 3, 4], "region config, offset 0x10, count 4, register BAR0, value 0x4030201" },
        { Command.RegionWrite, false, [.. Of(new RegionAccess(0x10, 0, 5)), 1, 2, 3, 4, 5], "region bar0, offset 0x10, count 5, data 0102030405" },
        { Command.RegionWrite, true, Of(new RegionAccess(0x10, 0, 5)), "region bar0, offset 0x10, count 5" },
        { Command.DmaRead, false, Of(new DmaAccess(0x1000, 2)), "address 0x1000, count 2" },
        { Command.DmaRead, true, [.. Of(new DmaAccess(0x1000, 2)), 7, 0], "address 0x1000, count 2, value 0x7" },
        { Command.DmaWrite, false, [.. Of(new DmaAccess(0x1000, 1)), 7], "address 0x1000, count 1, value 0x7" },
        { Command.DmaWrite, true, [], "" },
        { Command.DeviceReset, false, [], "" },
        { Command.RegionWriteMulti, false, [.. Of(new RegionWriteMulti(1)), .. Of(new RegionWriteMultiEntry(8, 0, 4, 5))], "wr_cnt 1, writes [bar0+0x8 4 bytes 0x5]" },
        { Command.RegionWriteMulti, true, Of(new RegionWriteMulti(1)), "wr_cnt 1" },
        { Command.DeviceFeature, false, Of(Feature(DeviceFeatureId.Migration, DeviceFeatureFlags.Get)), "feature Migration, method Get" },
        { Command.DeviceFeature, true, [.. Of(Feature(DeviceFeatureId.Migration, DeviceFeatureFlags.Get)), .. Of(new MigrationFeature(MigrationFlags.StopCopy))],
            "feature Migration, method Get, migration StopCopy" },
        { Command.DeviceFeature, false, [.. Of(Feature(DeviceFeatureId.MigDeviceState, DeviceFeatureFlags.Set)), .. Of(new MigrationDeviceState(MigrationState.Resuming, 0))],
            "feature MigDeviceState, method Set, state Resuming" },
        { Command.DeviceFeature, false, [.. Of(Feature(DeviceFeatureId.DmaLoggingReport, DeviceFeatureFlags.Get)), .. Of(new DmaLoggingReport(0x1000, 0x2000, 4096))],
            "feature DmaLoggingReport, method Get, iova 0x1000, length 0x2000, page_size 4096" },
        { Command.MigDataRead, false, Of(new MigrationData(8, 100)), "size 100" },
        { Command.MigDataRead, true, [.. Of(new MigrationData(11, 3)), 1, 2, 3], "size 3, data 010203" },
        { Command.MigDataWrite, false, [.. Of(new MigrationData(9, 1)), 1], "size 1, value 0x1" },
        { Command.MigDataWrite, true, Of(new MigrationData(8, 1)), "size 1" },
    };

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_is_printed_with_names_and_fields(Command command, bool reply, byte[] payload, string words)
    {
        string line = Line(RawClient.Message(5, command, payload, reply ? MessageFlags.Reply : MessageFlags.Command), reply);

        string kind = reply ? " reply" : "";
        line.Should().EndWith($"{command} #5{kind}{(words.Length > 0 ? ": " : "")}{words}\n");
    }

    [Theory]
    [InlineData(Command.DmaMap, false, 31)]
    [InlineData(Command.RegionWrite, false, 15)]
    [InlineData(Command.DeviceSetIrqs, false, 4)]
    [InlineData(Command.DeviceFeature, true, 7)]
    [InlineData(Command.DmaRead, true, 1)]
    public void A_payload_that_is_too_short_is_malformed(Command command, bool reply, int length)
    {
        string line = Line(RawClient.Message(5, command, new byte[length], reply ? MessageFlags.Reply : MessageFlags.Command), reply);

        line.Should().Contain("MALFORMED: ").And.Contain($"{length} bytes where");
    }

    [Fact]
    public void Control_characters_in_a_peers_text_are_replaced()
    {
        byte[] text = Encoding.UTF8.GetBytes("{\"\e[2J\": \"\r\n\"}\0");

        string line = Line(RawClient.Message(5, Command.Version, [0, 0, 1, 0, .. text]), reply: false);

        line.TrimEnd('\n').Should().NotContainAny("\e", "\r", "\n");
    }

    [Fact]
    public void Data_is_shown_up_to_the_requested_length()
    {
        byte[] write = RawClient.Message(5, Command.RegionWrite, [.. Of(new RegionAccess(0, 0, 6)), 1, 2, 3, 4, 5, 6]);

        Line(write, reply: false, data: 3).Should().EndWith("data 010203...\n");
        Line(write, reply: false, data: 0).Should().EndWith("count 6\n");
    }

    private static string Line(byte[] bytes, bool reply, int data = 16)
    {
        using StringWriter output = new() { NewLine = "\n" };
        new TextTrace(new Terminal(output, output, Colors: false, CancellationToken.None), data).Message(new TracedMessage
        {
            Client = 1,
            Time = TimeSpan.Zero,
            Way = reply ? Way.ToClient : Way.ToServer,
            IsWhole = true,
            Bytes = bytes,
            Fds = [],
        });
        return output.ToString();
    }

    private static DeviceFeature Feature(DeviceFeatureId id, DeviceFeatureFlags method) => new(8, (DeviceFeatureFlags)(uint)id | method);

    private static byte[] Of<T>(T value)
        where T : unmanaged => RawClient.Bytes(value);
}
