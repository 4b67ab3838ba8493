namespace VfioUser.Protocol.Tests.Wire;

public class WireFormatTests
{
    private static readonly DmaMap Map = new(32, DmaMapFlags.Readable, 1, 2, 3);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    public void Too_few_bytes_are_not_read(int length)
    {
        bool read = WireFormat.TryRead(new byte[length], out DmaMap value);

        read.Should().BeFalse();
        value.Should().Be(default(DmaMap));
    }

    [Fact]
    public void Extra_bytes_may_follow()
    {
        byte[] bytes = new byte[100];
        WireFormat.Write(bytes, Map);

        WireFormat.TryRead(bytes, out DmaMap value).Should().BeTrue();

        value.Should().Be(Map);
    }

    [Fact]
    public void Any_alignment_will_do()
    {
        byte[] bytes = new byte[48];
        for (int offset = 0; offset < 16; offset++)
        {
            WireFormat.Write(bytes.AsSpan(offset), Map);

            WireFormat.Read<DmaMap>(bytes.AsSpan(offset)).Should().Be(Map);
        }
    }

    [Fact]
    public void Bytes_behind_the_structure_are_left_alone()
    {
        byte[] bytes = new byte[DmaMap.WireSize + 1];
        bytes[^1] = 0xA5;

        WireFormat.Write(bytes, Map);

        bytes[^1].Should().Be(0xA5);
    }

    [Fact]
    public void Reading_and_writing_beyond_the_end_are_refused()
    {
        byte[] bytes = new byte[31];

        FluentActions.Invoking(() => WireFormat.Read<DmaMap>(bytes)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => WireFormat.Write(bytes, Map)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Unknown_bits_and_numbers_survive_a_round_trip()
    {
        byte[] bytes = Convert.FromHexString("ffffffffffffffffffffffffffffffff");
        byte[] written = new byte[16];

        WireFormat.Write(written, WireFormat.Read<MessageHeader>(bytes));

        written.Should().Equal(bytes);
    }
}
