namespace VfioUser.Network.Tests;

public class FrameQueueTests
{
    [Fact]
    public void Frames_come_out_in_order_with_what_they_leave_to_do()
    {
        FrameQueue queue = new(10_000);
        (byte[] first, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 1000), segmentSize: 500);
        byte[] second = Frames.To(Frames.Peer, 77);

        queue.Add(new NetworkFrame(first, offload)).Should().BeTrue();
        queue.Add(new NetworkFrame(second)).Should().BeTrue();

        ShouldBegin(queue, first, offload);
        queue.RemoveFirst();
        ShouldBegin(queue, second, default);
        queue.RemoveFirst();
        queue.TryPeek(out _).Should().BeFalse();
        queue.IsEmpty.Should().BeTrue();
    }

    [Fact]
    public void Frames_without_room_are_lost_and_counted()
    {
        FrameQueue queue = new(2000);
        byte[] frame = Frames.To(Frames.Peer, 900);

        Enumerable.Range(0, 5).Count(_ => queue.Add(new NetworkFrame(frame))).Should().Be(2);

        queue.Dropped.Should().Be(3);
        queue.Add(new NetworkFrame(Frames.To(Frames.Peer, 2000))).Should().BeFalse();
        queue.Clear();
        queue.IsEmpty.Should().BeTrue();
        queue.Add(new NetworkFrame(frame)).Should().BeTrue();
        queue.Dropped.Should().Be(4);
    }

    [Fact]
    public void Frame_of_a_guest_whose_memory_is_gone_is_lost()
    {
        using TestDevice device = new();
        DmaList list = new(device.Dma);
        list.Add(new Iova(0xDEAD_0000), 1000);
        FrameQueue queue = new(5000);

        queue.Add(new NetworkFrame(new byte[128], list, 0)).Should().BeFalse();

        queue.IsEmpty.Should().BeTrue();
        queue.Dropped.Should().Be(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_order_of_adding_and_removing_keeps_the_frames(int seed)
    {
        Random random = new(seed);
        FrameQueue queue = new(3000);
        Queue<byte[]> expected = [];
        for (int i = 0; i < 20_000; i++)
        {
            if (random.Next(2) == 0)
            {
                byte[] frame = new byte[random.Next(14, 700)];
                random.NextBytes(frame);
                if (queue.Add(new NetworkFrame(frame)))
                    expected.Enqueue(frame);
                else
                    expected.Should().NotBeEmpty("any of these fits alone");
            }
            else if (expected.TryDequeue(out byte[]? frame))
            {
                ShouldBegin(queue, frame, default);
                queue.RemoveFirst();
            }
            queue.IsEmpty.Should().Be(expected.Count == 0);
        }
    }

    private static void ShouldBegin(FrameQueue queue, byte[] expected, FrameOffload offload)
    {
        queue.TryPeek(out NetworkFrame frame).Should().BeTrue();
        frame.Offload.Should().Be(offload);
        frame.Head.SequenceEqual(expected).Should().BeTrue();
    }
}
