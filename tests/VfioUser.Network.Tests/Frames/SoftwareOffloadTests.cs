using System.Buffers.Binary;

namespace VfioUser.Network.Tests;

public class SoftwareOffloadTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(1001)]
    public void Checksum_is_put_in_where_the_port_cannot(int payload)
    {
        byte[] whole = Frames.Tcp(Frames.Peer, payload);
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(whole);
        CollectingPort port = new();

        new NetworkFrame(unfinished, offload).SendTo(port);

        port.Sent.Should().ContainSingle().Which.Should().BeEquivalentTo((whole, default(FrameOffload)));
    }

    [Theory]
    [InlineData(60_000, 1448)]
    [InlineData(2896, 1448)]
    [InlineData(100, 1448)]
    [InlineData(65_000, 32)]
    public void Frame_is_cut_into_segments_that_are_together_what_was_sent(int payload, int size)
    {
        byte[] whole = Frames.Tcp(Frames.Peer, payload, sequence: uint.MaxValue - 5000);
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(whole, size);
        CollectingPort port = new(PortOffloads.Checksum);

        new NetworkFrame(unfinished, offload).SendTo(port);

        IReadOnlyList<byte[]> segments = port.Frames;
        segments.Should().HaveCount((payload + size - 1) / size).And.OnlyContain(segment => Frames.IsValidTcp(segment) && segment.Length <= 54 + size);
        segments.SelectMany(segment => segment[54..]).Should().Equal(whole[54..]);
        for (int i = 0; i < segments.Count; i++)
        {
            bool isLast = i == segments.Count - 1;
            BinaryPrimitives.ReadUInt16BigEndian(segments[i].AsSpan(18)).Should().Be((ushort)(0x0700 + i));
            BinaryPrimitives.ReadUInt32BigEndian(segments[i].AsSpan(38)).Should().Be(unchecked(uint.MaxValue - 5000 + (uint)(i * size)));
            segments[i][47].Should().Be(isLast ? (byte)0x19 : (byte)0x10, "FIN and PSH are of the last one");
        }
    }

    [Fact]
    public void Segments_over_IPv6_are_right_too()
    {
        byte[] whole = Frames.TcpOverIpv6(Frames.Peer, 10_000);
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(whole, segmentSize: 1428);
        CollectingPort port = new(PortOffloads.TcpOverIPv4 | PortOffloads.Checksum);

        new NetworkFrame(unfinished, offload).SendTo(port);

        port.Frames.Should().HaveCount(8).And.OnlyContain(segment => Frames.IsValidTcpOverIpv6(segment));
        port.Frames.SelectMany(segment => segment[74..]).Should().Equal(whole[74..]);
    }

    [Fact]
    public void Congestion_window_reduced_is_of_the_first_segment_alone()
    {
        byte[] whole = Frames.Tcp(Frames.Peer, 3000);
        whole[47] |= 0x80;
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(whole, segmentSize: 1000);
        CollectingPort port = new(PortOffloads.All & ~PortOffloads.TcpEcn);

        new NetworkFrame(unfinished, offload with { HasEcn = true }).SendTo(port);

        port.Frames.Select(segment => segment[47] & 0x80).Should().Equal(0x80, 0, 0);
        port.Frames.Should().OnlyContain(segment => Frames.IsValidTcp(segment));
    }

    [Fact]
    public void Tagged_frames_are_cut_with_their_tags()
    {
        byte[] whole = Frames.Tcp(Frames.Peer, 3000);
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(whole, segmentSize: 1000);
        CollectingPort port = new();

        new NetworkFrame(Frames.Tagged(Frames.Tagged(unfinished, 7), 9), offload with { ChecksumStart = 42 }).SendTo(port);

        port.Frames.Should().HaveCount(3).And.OnlyContain(segment => segment[15] == 9 && segment[19] == 7);
        port.Frames.Select(segment => (byte[])[.. segment[..12], .. segment[20..]]).Should().OnlyContain(segment => Frames.IsValidTcp(segment));
    }

    [Fact]
    public void Frame_goes_as_it_is_where_the_port_can()
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 3000), segmentSize: 1000);
        CollectingPort port = new(PortOffloads.Checksum | PortOffloads.TcpOverIPv4);

        new NetworkFrame(unfinished, offload).SendTo(port);

        port.Sent.Should().ContainSingle().Which.Should().BeEquivalentTo((unfinished, offload));
    }

    [Theory]
    [InlineData(12, 0x86)] // another type
    [InlineData(14, 0x65)] // another version
    [InlineData(14, 0x46)] // a longer IP header than there is
    [InlineData(14, 0x44)] // a shorter one than can be
    [InlineData(46, 0x40)] // the same for TCP
    [InlineData(46, 0xF0)]
    public void Headers_that_are_not_what_they_should_be_lose_the_frame(int offset, int value)
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 30), segmentSize: 1000);
        unfinished[offset] = (byte)value;
        CollectingPort port = new();

        new NetworkFrame(unfinished, offload).SendTo(port);

        port.Frames.Should().BeEmpty();
    }

    [Fact]
    public void Random_headers_throw_nothing_and_make_no_long_frames()
    {
        Random random = new(1);
        CollectingPort port = new();
        for (int i = 0; i < 20_000; i++)
        {
            (byte[] frame, FrameOffload offload) = Frames.Unfinished(random.Next(2) == 0 ? Frames.Tcp(Frames.Peer, 100) : Frames.TcpOverIpv6(Frames.Peer, 100), 32);
            for (int j = random.Next(4); j >= 0; j--)
                frame[random.Next(80)] = (byte)random.Next(256);
            offload = offload with { ChecksumStart = offload.ChecksumStart + random.Next(-8, 40) };
            if (offload.IsValidFor(frame.Length))
                new NetworkFrame(frame, offload).SendTo(port);
        }

        port.Frames.Should().NotBeEmpty().And.OnlyContain(frame => frame.Length <= 256 + 32);
    }

    [Fact]
    public void Sum_is_that_of_each_word()
    {
        Random random = new(2);
        byte[] bytes = new byte[3000];
        random.NextBytes(bytes);
        for (int i = 0; i < 2000; i++)
        {
            int start = random.Next(50);
            int length = random.Next(bytes.Length - start);
            ReadOnlySpan<byte> part = bytes.AsSpan(start, length);
            InternetChecksum.Sum(part).Should().Be(Frames.Sum(part));
            InternetChecksum.Sum(part, 0x1_2345).Should().Be(Frames.Sum([0, 1, 0x23, 0x45, .. part]));
        }
        InternetChecksum.Finish(0xFFFF).Should().Be(0xFFFF);
        InternetChecksum.Finish(0x1234).Should().Be(0xEDCB);
    }

    [Fact]
    public void Work_allocates_nothing()
    {
        (byte[] unfinished, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 60_000), segmentSize: 1448);
        CountingPort port = new();
        NetworkFrame frame = new(unfinished, offload);
        for (int i = 0; i < 100; i++)
            frame.SendTo(port);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            frame.SendTo(port);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        port.Count.Should().Be(200 * 42);
    }

    private sealed class CountingPort : INetworkPort
    {
        public int Count { get; private set; }

        public void Send(in NetworkFrame frame) => Count++;
    }
}
