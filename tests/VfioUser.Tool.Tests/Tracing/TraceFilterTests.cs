using VfioUser.Protocol;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Tests.Tracing;

/// <summary>Which messages of a trace are printed.</summary>
public sealed class TraceFilterTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public TraceFilterTests() => File.WriteAllBytes(_file,
    [
        .. RecordedBytes.Start,
        .. Of(Access(1, RegionIndex.Config, 4)),
        .. Of(Access(1, RegionIndex.Config, 4, MessageFlags.Reply), Way.ToClient),
        .. Of(Access(2, RegionIndex.Bar0, 8)),
        .. Of(Refusal(2, Command.RegionRead), Way.ToClient),
        .. Of(Access(3, RegionIndex.Config, 64)),
        .. Of(Refusal(3, Command.RegionRead), Way.ToClient),
        .. Of(RawClient.Message(4, Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(32, 0, 0, 0, 0, 0)))),
        .. Of(RawClient.Message(5, Command.RegionWriteMulti,
            [.. RawClient.Bytes(2ul), .. RawClient.Bytes(new RegionWriteMultiEntry(0, 7, 4, 1)), .. RawClient.Bytes(new RegionWriteMultiEntry(0, 1, 4, 1))])),
        .. Of(RawClient.Message(6, Command.DeviceReset, [])),
        .. RecordedBytes.Of([1, 2, 3], kind: RecordKind.Piece),
    ]);

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Without_configuration_space_all_else_is_left_with_its_replies() => Printed("--no-config").Should().Equal(
        "→ RegionRead #2", "← RegionRead #2", "→ DeviceGetRegionInfo #4", "→ RegionWriteMulti #5", "→ DeviceReset #6", "MALFORMED");

    [Fact]
    public void A_region_selects_accesses_to_it_and_their_refusals() => Printed("--region", "bar0").Should().Equal(
        "→ RegionRead #2", "← RegionRead #2", "→ DeviceGetRegionInfo #4", "MALFORMED");

    [Fact]
    public void Several_regions_are_those_of_all_of_them() => Printed("--region", "bar1", "--region", "config").Should().Equal(
        "→ RegionRead #1", "← RegionRead #1", "→ RegionRead #3", "← RegionRead #3", "→ RegionWriteMulti #5", "MALFORMED");

    [Fact]
    public void Commands_select_with_their_replies() => Printed("--command", "REGION_READ", "--command", "VFIO_USER_DEVICE_RESET", "--no-config").Should().Equal(
        "→ RegionRead #2", "← RegionRead #2", "→ DeviceReset #6", "MALFORMED");

    [Fact]
    public void Unknown_regions_and_commands_are_usage_errors()
    {
        ToolRun.Of("trace", "--read", _file, "--region", "bar9").ExitCode.Should().Be(2);
        ToolRun.Of("trace", "--read", _file, "--command", "REGION_RAED").ExitCode.Should().Be(2);
    }

    [Fact]
    public void Registers_of_the_configuration_header_have_their_names_and_fields()
    {
        File.WriteAllBytes(_file,
        [
            .. RecordedBytes.Start,
            .. Of([.. Access(1, RegionIndex.Config, 4, MessageFlags.Command, count: 2, command: Command.RegionWrite), 6, 0]),
            .. Of(Access(2, RegionIndex.Config, 0)),
            .. Of(Access(3, RegionIndex.Config, 0, count: 64)),
            .. Of(Access(4, RegionIndex.Config, 0x40)),
            .. Of(Access(5, RegionIndex.Bar0, 4, count: 2)),
        ]);

        string[] lines = ToolRun.Of("trace", "--read", _file).Out.Split('\n');

        lines[0].Should().EndWith("region config, offset 0x4, count 2, register Command, value 0x6, fields MemorySpace BusMaster");
        lines[1].Should().EndWith("count 4, register VendorID DeviceID");
        lines[2].Should().EndWith("count 64, register VendorID DeviceID Command Status ...");
        lines[3].Should().EndWith("offset 0x40, count 4");
        lines[4].Should().EndWith("region bar0, offset 0x4, count 2");
    }

    private IEnumerable<string> Printed(params string[] options)
    {
        ToolRun run = ToolRun.Of(["trace", "--read", _file, .. options]);
        run.Error.Should().BeEmpty();
        return run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Contains("MALFORMED", StringComparison.Ordinal) ? "MALFORMED" : string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..4]).TrimEnd(':'));
    }

    private static byte[] Of(byte[] message, Way way = Way.ToServer) => RecordedBytes.Of(message, (byte)way);

    // the size in the header is that of a write's data, too
    private static byte[] Access(ushort id, RegionIndex region, ulong offset, MessageFlags flags = MessageFlags.Command, uint count = 4, Command command = Command.RegionRead)
    {
        byte[] message = RawClient.Message(id, command, RawClient.Bytes(new RegionAccess(offset, (uint)region, count)), flags);
        return flags == MessageFlags.Reply ? [.. message, .. new byte[count]] : message;
    }

    private static byte[] Refusal(ushort id, Command command) =>
        RawClient.Bytes(new MessageHeader(id, command, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EINVAL));
}
