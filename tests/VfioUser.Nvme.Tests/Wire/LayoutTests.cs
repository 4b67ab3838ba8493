using System.Runtime.InteropServices;

namespace VfioUser.Nvme.Tests.Wire;

public class LayoutTests
{
    public static TheoryData<Type, int> Sizes => new()
    {
        { typeof(Command), 64 },
        { typeof(Completion), 16 },
        { typeof(SglDescriptor), 16 },
        { typeof(DsmRange), 16 },
        { typeof(ErrorLogEntry), 32 },
        { typeof(SubmissionQueueState), 24 },
        { typeof(CompletionQueueState), 28 },
    };

    public static TheoryData<Type, string, int> Offsets => new()
    {
        { typeof(Command), "Opcode", 0 },
        { typeof(Command), "Flags", 1 },
        { typeof(Command), "Id", 2 },
        { typeof(Command), "Nsid", 4 },
        { typeof(Command), "Metadata", 16 },
        { typeof(Command), "Prp1", 24 },
        { typeof(Command), "Prp2", 32 },
        { typeof(Command), "Dword10", 40 },
        { typeof(Command), "Dword15", 60 },
        { typeof(Completion), "Result", 0 },
        { typeof(Completion), "SqHead", 8 },
        { typeof(Completion), "SqId", 10 },
        { typeof(Completion), "CommandId", 12 },
        { typeof(Completion), "StatusAndPhase", 14 },
        { typeof(SglDescriptor), "Address", 0 },
        { typeof(SglDescriptor), "Length", 8 },
        { typeof(SglDescriptor), "Identifier", 15 },
        { typeof(DsmRange), "BlockCount", 4 },
        { typeof(DsmRange), "StartingLba", 8 },
        { typeof(ErrorLogEntry), "SqId", 8 },
        { typeof(ErrorLogEntry), "CommandId", 10 },
        { typeof(ErrorLogEntry), "StatusField", 12 },
        { typeof(ErrorLogEntry), "Lba", 16 },
        { typeof(ErrorLogEntry), "Nsid", 24 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Structure_has_the_size_of_the_specification(Type type, int size) => Marshal.SizeOf(type).Should().Be(size);

    [Theory]
    [MemberData(nameof(Offsets))]
    public void Field_lies_where_the_specification_says(Type type, string field, int offset) =>
        Marshal.OffsetOf(type, $"<{field}>k__BackingField").ToInt32().Should().Be(offset);

    [Theory]
    [InlineData(0x002, 0x4002)] // invalid field: the same command would fail again
    [InlineData(0x007, 0x0007)] // aborted: it need not
    [InlineData(0x281, 0x0281)]
    [InlineData(0x101, 0x4101)]
    public void Status_says_whether_to_retry(int status, int field) => ((Status)status).Field().Should().Be((ushort)field);
}
