namespace VfioUser.Network.Tests;

public class FrameSegmentsTests
{
    [Theory]
    [InlineData(60_000, 1448)]
    [InlineData(2896, 1448)]
    [InlineData(100, 1448)]
    [InlineData(1, 32)]
    public void Segments_are_those_that_the_frame_is_cut_into(int payload, int size)
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, payload), size);
        NetworkFrame frame = new(unfinished, offload);
        CollectingPort port = new();
        int[] lengths = new int[frame.SegmentCount];

        for (int i = 0; i < lengths.Length; i++)
            lengths[i] = frame.GetSegmentLength(i);
        frame.SendTo(port);

        lengths.Should().Equal(port.Frames.Select(segment => segment.Length));
    }

    [Fact]
    public void A_frame_that_is_not_cut_is_one()
    {
        NetworkFrame frame = new(Frames.To(Frames.Peer, 777));

        (frame.SegmentCount, frame.GetSegmentLength(0)).Should().Be((1, 777));
    }

    [Fact]
    public void Headers_that_lie_in_guest_memory_count()
    {
        using TestDevice device = new();
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 1000), segmentSize: 100);
        offload = offload with { ChecksumStart = 200 };
        unfinished[212] = 0x80;
        DmaList rest = new(device.Dma);
        rest.Add(device.Memory.Place(unfinished.AsSpan(128)), (uint)(unfinished.Length - 128));
        NetworkFrame frame = new(unfinished.AsSpan(0, 128), rest, 0, offload);

        (frame.SegmentCount, frame.GetSegmentLength(0), frame.GetSegmentLength(8)).Should().Be((9, 332, 254));
    }

    [Fact]
    public void A_frame_whose_headers_are_all_of_it_makes_none()
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 10), segmentSize: 100);
        unfinished[46] = 0xF0;

        new NetworkFrame(unfinished, offload).SegmentCount.Should().Be(0);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public void A_segment_that_is_not_there_is_refused(int index)
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 300), segmentSize: 100);

        FluentActions.Invoking(() => new NetworkFrame(unfinished, offload).GetSegmentLength(index)).Should().Throw<ArgumentOutOfRangeException>();
    }
}
