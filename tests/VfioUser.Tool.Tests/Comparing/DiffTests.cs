using VfioUser.Protocol;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tests.Tracing;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Tests.Comparing;

/// <summary><c>diff</c> of recordings that are made by hand.</summary>
public sealed class DiffTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-diff-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Ids_and_times_make_no_difference()
    {
        string first = Record("first", time: 0, Read(1, 0x10), Reply(1, 0x10, 7), Reset(2), ResetReply(2));
        string second = Record("second", time: 1000, Read(9, 0x10), Reply(9, 0x10, 7), Reset(3), ResetReply(3));

        ToolRun.Of("diff", first, second).Should().Be(new ToolRun(0, "2 the same, 0 only in the first, 0 only in the second\n", ""));
    }

    [Fact]
    public void Other_values_further_commands_and_refusals_are_lines_with_the_number_of_their_record()
    {
        string first = Record("first", 0, Read(1, 0x10), Reply(1, 0x10, 7), Reset(2), ResetReply(2), Read(3, 0x20), Reply(3, 0x20, 1));
        string second = Record("second", 0, Read(1, 0x10), Reply(1, 0x10, 8), Reset(2), Refusal(2), Write(5, 0x30, 2), Read(4, 0x20), Reply(4, 0x20, 1));

        ToolRun run = ToolRun.Of("diff", first, second);

        run.Should().Be(new ToolRun(1, """
            -      1  RegionRead: region bar0, offset 0x10, count 4 → value 0x7
            -      3  DeviceReset → done
            +      1  RegionRead: region bar0, offset 0x10, count 4 → value 0x8
            +      3  DeviceReset → refused with EIO
            +      5  RegionWrite posted: region bar0, offset 0x30, count 4, value 0x2
            1 the same, 2 only in the first, 3 only in the second

            """, ""));
    }

    [Fact]
    public void Replies_of_ignored_commands_and_what_is_not_selected_are_not_compared()
    {
        string first = Record("first", 0, Read(1, 0x10), Reply(1, 0x10, 7), Reset(2), ResetReply(2));
        string second = Record("second", 0, Read(1, 0x10), Reply(1, 0x10, 8), Reset(2), Refusal(2));

        ToolRun.Of("diff", first, second, "--ignore", "REGION_READ", "--ignore", "DEVICE_RESET").ExitCode.Should().Be(0);
        ToolRun.Of("diff", first, second, "--region", "bar1").Out.Should().StartWith("0 the same, 0 only");
        ToolRun.Of("diff", first, second, "--command", "DEVICE_RESET").Out.Should().StartWith("-      3  DeviceReset");
    }

    [Fact]
    public void A_file_that_is_no_recording_is_named()
    {
        string file = Path.Combine(_folder.FullName, "text");
        File.WriteAllText(file, "once upon a time there was a file");

        ToolRun.Of("diff", file, file).Error.Should().Contain($"'{file}' cannot be read");
    }

    private string Record(string name, double time, params (byte[] Message, Way Way)[] messages)
    {
        string file = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(file, [.. RecordedBytes.Start, .. messages.SelectMany(message => RecordedBytes.Of(message.Message, (byte)message.Way, RecordKind.Message, TimeSpan.FromSeconds(time++)))]);
        return file;
    }

    private static (byte[], Way) Read(ushort id, ulong offset) => (RawClient.Message(id, Command.RegionRead, RawClient.Bytes(new RegionAccess(offset, 0, 4))), Way.ToServer);

    private static (byte[], Way) Reply(ushort id, ulong offset, uint value) =>
        (RawClient.Message(id, Command.RegionRead, [.. RawClient.Bytes(new RegionAccess(offset, 0, 4)), .. RawClient.Bytes(value)], MessageFlags.Reply), Way.ToClient);

    private static (byte[], Way) Write(ushort id, ulong offset, uint value) =>
        (RawClient.Message(id, Command.RegionWrite, [.. RawClient.Bytes(new RegionAccess(offset, 0, 4)), .. RawClient.Bytes(value)], MessageFlags.NoReply), Way.ToServer);

    private static (byte[], Way) Reset(ushort id) => (RawClient.Message(id, Command.DeviceReset, []), Way.ToServer);

    private static (byte[], Way) ResetReply(ushort id) => (RawClient.Message(id, Command.DeviceReset, [], MessageFlags.Reply), Way.ToClient);

    private static (byte[], Way) Refusal(ushort id) =>
        (RawClient.Bytes(new MessageHeader(id, Command.DeviceReset, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EIO)), Way.ToClient);
}
