namespace VfioUser.Network.Tests;

public class NetworkFrameTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(13)]
    [InlineData(65_554)]
    public void Bytes_that_are_no_frame_are_refused(int length) =>
        FluentActions.Invoking(() => new NetworkFrame(new byte[length]).Length).Should().Throw<ArgumentException>();

    [Theory]
    [InlineData(14)]
    [InlineData(65_553)]
    public void Shortest_and_longest_frames_pass(int length) => new NetworkFrame(new byte[length]).Length.Should().Be(length);

    [Fact]
    public void Part_of_a_frame_comes_from_head_and_guest_memory()
    {
        using TestDevice device = new();
        TestMemory memory = device.Memory;
        byte[] whole = Frames.To(Frames.Peer, 1000);
        DmaList list = new(device.Dma);
        list.Add(memory.Place(new byte[10]), 10);
        list.Add(memory.Place(whole.AsSpan(128, 400)), 400);
        list.Add(memory.Place(whole.AsSpan(528)), 472);
        NetworkFrame frame = new(whole.AsSpan(0, 128), list, 10);

        frame.Length.Should().Be(1000);
        foreach ((int offset, int length) in ((int, int)[])[(0, 1000), (0, 128), (100, 100), (128, 1), (500, 100), (999, 1), (1000, 0)])
        {
            byte[] copy = new byte[length];
            frame.TryCopyTo(offset, copy).Should().BeTrue();
            copy.Should().Equal(whole[offset..(offset + length)]);
        }
    }

    [Fact]
    public void Frame_goes_from_one_guest_to_another_without_a_buffer()
    {
        using TestDevice sender = new();
        using TestDevice receiver = new();
        byte[] whole = Frames.To(Frames.Peer, 3000);
        DmaList source = new(sender.Dma);
        source.Add(sender.Memory.Place(whole), 3000);
        NetworkFrame frame = new(whole.AsSpan(0, 200), source, 200);
        Iova first = receiver.Memory.Allocate(1000);
        receiver.Memory.Allocate(100);
        Iova second = receiver.Memory.Allocate(3000);
        DmaList destination = new(receiver.Dma);
        destination.Add(first, 1000);
        destination.Add(second, 3000);

        ((bool)frame.TryCopyTo(0, 3000, destination, 12)).Should().BeTrue();

        receiver.Memory.ReadBytes(first, 1000)[12..].Should().Equal(whole[..988]);
        receiver.Memory.ReadBytes(second, 2012).Should().Equal(whole[988..]);
    }

    [Fact]
    public void Memory_that_is_gone_fails_the_copy()
    {
        using TestDevice device = new();
        DmaList list = new(device.Dma);
        list.Add(new Iova(0xDEAD_0000), 1000);
        byte[] head = new byte[128];

        bool copied = new NetworkFrame(head, list, 0).TryCopyTo(0, new byte[1128]);

        copied.Should().BeFalse();
    }

    [Fact]
    public void Head_that_lacks_the_headers_is_refused()
    {
        using TestDevice device = new();
        DmaList list = new(device.Dma);
        list.Add(device.Memory.Allocate(1000), 1000);

        FluentActions.Invoking(() => new NetworkFrame(new byte[127], list, 0).Length).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new NetworkFrame(new byte[128], list, 1001).Length).Should().Throw<ArgumentException>();
        new NetworkFrame(new byte[128], list, 990).Length.Should().Be(138);
    }

    [Theory]
    [InlineData(-1, 10)]
    [InlineData(95, 6)]
    [InlineData(101, 0)]
    public void Part_behind_the_end_is_refused(int offset, int length) =>
        FluentActions.Invoking(() => new NetworkFrame(new byte[100]).TryCopyTo(offset, new byte[length])).Should().Throw<ArgumentOutOfRangeException>();

    [Theory]
    [InlineData(34, 16, true)]
    [InlineData(0, 98, true)]
    [InlineData(0, 99, false)]
    [InlineData(99, 0, false)]
    [InlineData(0xFFFF, 0xFFFF, false)]
    [InlineData(-1, 16, false)]
    public void Checksum_must_lie_in_the_frame(int start, int offset, bool isValid) =>
        new FrameOffload { NeedsChecksum = true, ChecksumStart = start, ChecksumOffset = offset }.IsValidFor(100).Should().Be(isValid);

    [Theory]
    [InlineData(34, 16, 1448, true)]
    [InlineData(33, 16, 1448, false)]
    [InlineData(34, 6, 1448, false)]
    [InlineData(34, 16, 31, false)]
    [InlineData(34, 16, 0, false)]
    [InlineData(81, 16, 1448, false)]
    public void Segments_must_have_headers_and_a_size(int start, int offset, int size, bool isValid)
    {
        FrameOffload offload = new()
        {
            NeedsChecksum = true,
            ChecksumStart = start,
            ChecksumOffset = offset,
            Segmentation = FrameSegmentation.TcpOverIPv4,
            SegmentSize = size,
        };

        offload.IsValidFor(100).Should().Be(isValid);
        (offload with { NeedsChecksum = false }).IsValidFor(100).Should().BeFalse();
        (offload with { Segmentation = (FrameSegmentation)7 }).IsValidFor(100).Should().BeFalse();
    }
}
