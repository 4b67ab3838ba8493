using System.Buffers.Binary;
using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Network;
using VfioUser.Testing;

namespace E1000.Tests.Device;

public class TransmitTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void A_frame_of_several_buffers_is_sent_and_reported(GuestMemoryKind memory)
    {
        using Rig rig = new Rig(memory).Start();
        byte[] frame = Frames.To(Frames.Peer, 300);
        Iova address = rig.Guest.Place(frame);

        rig.Transmit(
            Descriptors.Legacy(address, 100, TransmitCommand.ReportStatus),
            Descriptors.Legacy(address + 100, 150, default),
            Descriptors.Legacy(address + 250, 50));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
        rig["TDH"].Should().Be(3);
        Done(rig, 0).Should().BeTrue();
        Done(rig, 1).Should().BeFalse("nobody asked for it");
        Done(rig, 2).Should().BeTrue();
        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)(InterruptCauses.TransmitDescriptorWritten | InterruptCauses.TransmitQueueEmpty)));
    }

    [Fact]
    public void The_ring_is_a_ring()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer, 64);
        Iova address = rig.Guest.Place(frame);

        for (int i = 0; i < 5; i++)
            rig.Transmit([.. Enumerable.Repeat(Descriptors.Legacy(address, 64), Rig.RingSize - 1)]);

        rig.Cable.Frames.Should().HaveCount(5 * (Rig.RingSize - 1));
        rig["TDH"].Should().Be(rig["TDT"]);
    }

    [Fact]
    public void Frames_of_a_ring_that_is_unmapped_for_a_moment_are_sent_when_it_is_back()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer, 64);
        Iova address = rig.Guest.Place(frame);

        rig.Guest.Memory.Unmap();
        rig.Transmit(Descriptors.Legacy(address, 64));
        rig.Guest.Memory.Map();
        rig.Settle();

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public void A_short_frame_is_padded_with_zeros()
    {
        using Rig rig = new Rig().Start();
        byte[] longer = Frames.To(Frames.Peer, 200);
        byte[] frame = Frames.To(Frames.Peer, 20);

        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(longer), 200), Descriptors.Legacy(rig.Guest.Place(frame), 20));

        rig.Cable.Frames[1].Should().Equal([.. frame, .. new byte[40]]);
    }

    [Fact]
    public void A_tag_is_put_into_the_frame_in_VLAN_mode()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer, 100);
        Iova address = rig.Guest.Place(frame);

        rig.Transmit(Descriptors.Legacy(address, 100, Descriptors.Whole | TransmitCommand.InsertVlanTag, tag: 0x2005));
        rig["CTRL"] = (ulong)(Control.SetLinkUp | Control.VlanMode);
        rig.Transmit(Descriptors.Legacy(address, 100, Descriptors.Whole | TransmitCommand.InsertVlanTag, tag: 0x2005));

        rig.Cable.Frames[0].Should().Equal(frame);
        rig.Cable.Frames[1].Should().Equal(Frames.Tagged(frame, 0x2005));
    }

    [Fact]
    public void A_legacy_descriptor_has_a_checksum_inserted()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer, 101);
        (frame[50], frame[51]) = (0, 0);

        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), 101, Descriptors.Whole | TransmitCommand.Segment, checksumStart: 20, checksumOffset: 50));

        Frames.Sum(rig.Cable.Frames[0].AsSpan(20)).Should().Be(0xFFFF);
    }

    [Fact]
    public void Checksums_of_IP_and_TCP_are_inserted_as_a_context_says()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.Tcp(Frames.Peer, 333);
        byte[] given = [.. frame];
        PutPseudoHeader(given, withLength: true);
        (given[24], given[25]) = (0, 0);

        rig.Transmit(Descriptors.Context(), Descriptors.Data(rig.Guest.Place(given), given.Length, options: 3));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public void A_long_packet_is_cut_into_segments()
    {
        using Rig rig = new Rig().Start();
        const int Payload = 10_000;
        const int SegmentSize = 1448;
        byte[] whole = Frames.Tcp(Frames.Peer, Payload);
        byte[] given = [.. whole];
        PutPseudoHeader(given, withLength: false);
        given.AsSpan(16, 2).Clear();
        given.AsSpan(24, 2).Clear();
        Iova address = rig.Guest.Place(given);
        TransmitCommand segment = TransmitCommand.Segment;

        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: SegmentSize, payload: Payload),
            Descriptors.Data(address, 40, segment, options: 3), // in the middle of the header
            Descriptors.Data(address + 40, 3000, segment),
            Descriptors.Data(address + 3040, given.Length - 3040, Descriptors.Whole | segment));

        IReadOnlyList<byte[]> frames = rig.Cable.Frames;
        frames.Should().HaveCount(7);
        frames.Should().OnlyContain(frame => Frames.IsValidTcp(frame));
        frames.SelectMany(frame => frame[54..]).Should().Equal(whole[54..]);
        frames.Select(frame => BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(38))).Should().Equal(Enumerable.Range(0, 7).Select(i => (uint)(1000 + i * SegmentSize)));
        frames.Select(frame => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(18))).Should().Equal(Enumerable.Range(0x700, 7).Select(i => (ushort)i));
        frames.Select(frame => frame[47]).Should().Equal(0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x19);
        rig["TSCTC"].Should().Be(1);
        rig["GPTC"].Should().Be(7);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cutting_is_left_to_a_port_that_can(bool isTagged)
    {
        CollectingPort port = new(PortOffloads.All);
        using Rig rig = new Rig(cable: port).Start();
        byte[] given = Frames.Tcp(Frames.Peer, 60_000);
        TransmitCommand command = Descriptors.Whole | TransmitCommand.Segment | (isTagged ? TransmitCommand.InsertVlanTag : default);
        if (isTagged)
            rig["CTRL"] = (ulong)(Control.SetLinkUp | Control.VlanMode);

        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: 1448, payload: 60_000),
            Descriptors.Data(rig.Guest.Place(given), given.Length, command, options: 3));

        (byte[] frame, FrameOffload offload) = port.Sent.Should().ContainSingle().Subject;
        frame.Should().Equal(isTagged ? Frames.Tagged(given, 0) : given);
        offload.Segmentation.Should().Be(FrameSegmentation.TcpOverIPv4);
        offload.SegmentSize.Should().Be(1448);
        offload.ChecksumStart.Should().Be(isTagged ? 38 : 34);
        rig["GPTC"].Should().Be(42, "it is as many on a cable");
        rig["TPT"].Should().Be(42);
    }

    [Fact]
    public void The_last_segment_ends_the_stream_also_when_it_is_full()
    {
        using Rig rig = new Rig().Start();
        byte[] given = Frames.Tcp(Frames.Peer, 2 * 1000);
        TransmitCommand segment = TransmitCommand.Segment;

        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: 1000, payload: 2000),
            Descriptors.Data(rig.Guest.Place(given), given.Length, Descriptors.Whole | segment, options: 3));

        rig.Cable.Frames.Select(frame => frame[47]).Should().Equal(0x10, 0x19);
    }

    [Fact]
    public void Contexts_for_checksums_and_for_segments_do_not_replace_one_another()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.Tcp(Frames.Peer, 333);
        byte[] given = [.. frame];
        PutPseudoHeader(given, withLength: true);

        rig.Transmit(
            Descriptors.Context(),
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Segment, headerLength: 100, segmentSize: 500, ipStart: 20, tcpStart: 60),
            Descriptors.Data(rig.Guest.Place(given), given.Length, options: 2));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public void Nothing_is_sent_while_the_link_is_down_or_the_transmitter_off()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer);
        Iova address = rig.Guest.Place(frame);

        rig["TCTL"] = 0;
        rig.Transmit(Descriptors.Legacy(address, frame.Length));
        rig["TDH"].Should().Be(0);
        rig.Card.Unplug();
        rig.Settle();
        rig["TCTL"] = (ulong)TransmitControl.Enable;

        rig["TDH"].Should().Be(1, "the driver gets its buffer back");
        rig.Cable.Frames.Should().BeEmpty();
    }

    // the sum of addresses and protocol, not inverted, where the checksum goes
    private static void PutPseudoHeader(byte[] frame, bool withLength)
    {
        int length = withLength ? frame.Length - 34 : 0;
        ushort sum = Frames.Sum([.. frame.AsSpan(26, 8), 0, 6, (byte)(length >> 8), (byte)length]);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(50), sum);
    }

    private static bool Done(Rig rig, uint index) => ((uint)(rig.TransmitRing[(int)index] >> 96) & 1) != 0;
}
