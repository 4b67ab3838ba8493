namespace VfioUser.Network.Tests;

public class InternetChecksumTests
{
    [Theory]
    [InlineData(20, int.MaxValue, 50)] // in the bytes that it is of
    [InlineData(20, 100, 4)] // before them
    [InlineData(21, 60, 98)] // behind them, and an odd number
    public void Checksum_is_put_where_it_is_asked_for(int start, int end, int offset)
    {
        byte[] frame = Frames.To(Frames.Peer, 101);
        byte[] expected = [.. frame];
        ushort sum = (ushort)~Frames.Sum(frame.AsSpan(start..Math.Min(end, frame.Length)));
        (expected[offset], expected[offset + 1]) = ((byte)(sum >> 8), (byte)sum);

        InternetChecksum.TryInsert(frame, start, end, offset).Should().BeTrue();

        frame.Should().Equal(expected);
    }

    [Fact]
    public void A_checksum_of_zero_is_written_as_ones()
    {
        byte[] frame = [0xFF, 0xFF, 0, 0];

        InternetChecksum.TryInsert(frame, 0, 4, 2).Should().BeTrue();

        frame.Should().Equal(0xFF, 0xFF, 0xFF, 0xFF);
    }

    [Theory]
    [InlineData(-1, 100, 50)]
    [InlineData(101, 200, 50)]
    [InlineData(int.MaxValue, int.MaxValue, 50)]
    [InlineData(60, 60, 50)]
    [InlineData(60, 20, 50)]
    [InlineData(0, -5, 50)]
    [InlineData(20, 100, -1)]
    [InlineData(20, 100, 100)]
    [InlineData(20, 100, int.MaxValue)]
    public void Bytes_that_are_not_there_change_nothing(int start, int end, int offset)
    {
        byte[] frame = Frames.To(Frames.Peer, 101);

        InternetChecksum.TryInsert(frame, start, end, offset).Should().BeFalse();

        frame.Should().Equal(Frames.To(Frames.Peer, 101));
    }

    [Fact]
    public void An_empty_frame_has_none() => InternetChecksum.TryInsert([], 0, 0, 0).Should().BeFalse();
}
