namespace VfioUser.Network.Tests;

public class FrameBufferTests
{
    [Fact]
    public void Frame_is_put_together_from_bytes_and_guest_memory()
    {
        using TestDevice device = new();
        byte[] whole = Frames.To(Frames.Peer, 300);
        Iova rest = device.Memory.Place(whole.AsSpan(100));
        FrameBuffer buffer = new();

        buffer.TryAppend(whole.AsSpan(0, 100)).Should().BeTrue();
        buffer.TryAppend(device.Dma, rest, 200).Should().BeTrue();

        buffer.TryGetFrame(out NetworkFrame frame).Should().BeTrue();
        frame.Head.ToArray().Should().Equal(whole);
        buffer.Bytes.ToArray().Should().Equal(whole);
        buffer.Clear();
        buffer.Length.Should().Be(0);
        buffer.TryGetFrame(out _).Should().BeFalse("it is empty");
    }

    [Fact]
    public void Bytes_without_room_or_memory_leave_the_frame_as_it_is()
    {
        using TestDevice device = new();
        byte[] whole = Frames.To(Frames.Peer, 90);
        FrameBuffer buffer = new(capacity: 100);
        buffer.TryAppend(whole);

        buffer.TryAppend(new byte[11]).Should().BeFalse();
        buffer.TryAppend(device.Dma, device.Memory.Allocate(100), 11).Should().BeFalse();
        buffer.TryAppend(device.Dma, device.Memory.Allocate(100), int.MaxValue).Should().BeFalse();
        buffer.TryAppend(device.Dma, device.Memory.Allocate(100), -1).Should().BeFalse();
        buffer.TryAppend(device.Dma, new Iova(0x7000_0000_0000), 10).Should().BeFalse();
        buffer.TryPad(101).Should().BeFalse();

        buffer.Bytes.ToArray().Should().Equal(whole);
        buffer.TryAppend(device.Dma, new Iova(0x7000_0000_0000), 0).Should().BeTrue();
        buffer.TryAppend(device.Dma, device.Memory.Allocate(100), 10).Should().BeTrue();
        buffer.Length.Should().Be(100);
    }

    [Fact]
    public void Zeros_are_appended_to_a_short_frame_whatever_was_there()
    {
        FrameBuffer buffer = new();
        buffer.TryAppend(Enumerable.Repeat((byte)0xEE, 200).ToArray());
        buffer.Clear();
        byte[] frame = Frames.To(Frames.Peer, 20);
        buffer.TryAppend(frame);

        buffer.TryPad(Ethernet.MinLength).Should().BeTrue();
        buffer.TryPad(30).Should().BeTrue();

        buffer.Bytes.ToArray().Should().Equal([.. frame, .. new byte[40]]);
    }

    [Fact]
    public void Tags_are_put_in_and_taken_out()
    {
        byte[] frame = Frames.To(Frames.Peer, 100);
        FrameBuffer buffer = new(capacity: 100);
        buffer.TryAppend(frame);

        buffer.TryInsertVlanTag(Ethernet.VlanTag, 0x2005).Should().BeTrue();
        buffer.Bytes.ToArray().Should().Equal(Frames.Tagged(frame, 0x2005));
        buffer.TryInsertVlanTag(Ethernet.ServiceTag, 0x0123).Should().BeTrue();
        buffer.Bytes[12..20].ToArray().Should().Equal(0x88, 0xA8, 0x01, 0x23, 0x81, 0x00, 0x20, 0x05);
        buffer.TryInsertVlanTag(Ethernet.VlanTag, 1).Should().BeFalse("there is no room for a third");

        buffer.TryRemoveVlanTag(Ethernet.VlanTag, out _).Should().BeFalse("the outer one is another");
        buffer.TryRemoveVlanTag(Ethernet.ServiceTag, out ushort outer).Should().BeTrue();
        buffer.TryRemoveVlanTag(Ethernet.VlanTag, out ushort inner).Should().BeTrue();
        (outer, inner).Should().Be((0x0123, 0x2005));
        buffer.Bytes.ToArray().Should().Equal(frame);
        buffer.TryRemoveVlanTag(Ethernet.VlanTag, out ushort none).Should().BeFalse();
        none.Should().Be(0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(13)]
    public void A_tag_needs_a_frame(int length)
    {
        FrameBuffer buffer = new();
        buffer.TryAppend(new byte[length]);

        buffer.TryInsertVlanTag(Ethernet.VlanTag, 1).Should().BeFalse();
        buffer.TryRemoveVlanTag(0, out _).Should().BeFalse();

        buffer.Length.Should().Be(length);
        buffer.TryGetFrame(out _).Should().BeFalse();
    }

    // a neighbour may send it
    [Theory]
    [InlineData(14)]
    [InlineData(17)]
    public void A_frame_that_ends_in_its_tag_has_none(int length)
    {
        byte[] frame = Frames.Tagged(Frames.To(Frames.Peer), 1)[..length];
        FrameBuffer buffer = new();
        buffer.TryAppend(frame);

        buffer.TryRemoveVlanTag(Ethernet.VlanTag, out _).Should().BeFalse();

        buffer.Bytes.ToArray().Should().Equal(frame);
    }

    [Fact]
    public void Work_that_is_left_moves_with_a_tag()
    {
        (byte[] frame, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 3000), segmentSize: 1000);
        FrameBuffer buffer = new();
        buffer.TryCopyFrom(new NetworkFrame(frame, offload)).Should().BeTrue();
        CollectingPort port = new();

        buffer.TryInsertVlanTag(Ethernet.VlanTag, 5).Should().BeTrue();

        (buffer.Offload.ChecksumStart, buffer.Offload.HeaderLength).Should().Be((38, 58));
        buffer.TryGetFrame(out NetworkFrame tagged).Should().BeTrue();
        tagged.SendTo(port);
        port.Frames.Select(segment => (byte[])[.. segment[..12], .. segment[16..]])
            .Should().HaveCount(3).And.OnlyContain(segment => Frames.IsValidTcp(segment));
        buffer.TryRemoveVlanTag(Ethernet.VlanTag, out _).Should().BeTrue();
        buffer.Offload.Should().Be(offload);
        buffer.Clear();
        buffer.Offload.Should().Be(default(FrameOffload));
    }

    [Fact]
    public void Work_that_cannot_be_left_makes_no_frame()
    {
        FrameBuffer buffer = new();
        buffer.TryAppend(Frames.Tcp(Frames.Peer, 100));

        buffer.Offload = new() { NeedsChecksum = true, ChecksumStart = 1000 };
        buffer.TryGetFrame(out _).Should().BeFalse();
        buffer.Offload = default;
        buffer.TryGetFrame(out _).Should().BeTrue();
    }

    [Fact]
    public void A_frame_that_is_longer_than_any_is_none()
    {
        FrameBuffer buffer = new();
        buffer.TryAppend(new byte[NetworkFrame.MaxLength]);

        buffer.TryGetFrame(out NetworkFrame frame).Should().BeTrue();
        frame.Length.Should().Be(NetworkFrame.MaxLength);
        buffer.TryInsertVlanTag(Ethernet.VlanTag, 1).Should().BeTrue();
        buffer.TryGetFrame(out _).Should().BeFalse();
    }

    [Fact]
    public void A_frame_that_does_not_fit_leaves_it_empty()
    {
        FrameBuffer buffer = new(capacity: 100);
        buffer.TryAppend(new byte[50]);

        buffer.TryCopyFrom(new NetworkFrame(new byte[101])).Should().BeFalse();

        buffer.Length.Should().Be(0);
        buffer.TryCopyFrom(new NetworkFrame(new byte[100])).Should().BeTrue();
    }

    [Fact]
    public void Any_calls_in_any_order_do_no_harm()
    {
        Random random = new(11);
        byte[] bytes = new byte[200];
        FrameBuffer buffer = new(capacity: 150);
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(bytes);
            switch (random.Next(8))
            {
                case 0:
                    buffer.Clear();
                    break;
                case 1:
                    buffer.TryPad(random.Next(-1, 200));
                    break;
                case 2:
                    buffer.TryInsertVlanTag((ushort)random.Next(2), 0);
                    break;
                case 3:
                    buffer.TryRemoveVlanTag((ushort)random.Next(2), out _);
                    break;
                case 4:
                    buffer.Offload = new() { NeedsChecksum = random.Next(2) == 0, ChecksumStart = random.Next(-9, 300), HeaderLength = random.Next(9) };
                    break;
                case 5:
                    buffer.TryCopyFrom(new NetworkFrame(bytes.AsSpan(0, random.Next(14, 200))));
                    break;
                default:
                    buffer.TryAppend(bytes.AsSpan(0, random.Next(60)));
                    break;
            }
            if (buffer.TryGetFrame(out NetworkFrame frame))
                frame.Length.Should().Be(buffer.Length).And.BeLessThanOrEqualTo(158);
        }
    }

    [Fact]
    public void Frames_allocate_nothing()
    {
        byte[] bytes = Frames.To(Frames.Peer, 1000);
        FrameBuffer buffer = new();
        Use();
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 100; i++)
            Use();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        void Use()
        {
            buffer.TryCopyFrom(new NetworkFrame(bytes));
            buffer.TryInsertVlanTag(Ethernet.VlanTag, 1);
            buffer.TryRemoveVlanTag(Ethernet.VlanTag, out _);
            buffer.TryGetFrame(out _);
        }
    }

    [Theory]
    [InlineData(13)]
    [InlineData(65_554)]
    public void Sizes_of_no_frame_are_refused(int capacity)
    {
        Action create = () => _ = new FrameBuffer(capacity);

        create.Should().Throw<ArgumentOutOfRangeException>();
    }
}
