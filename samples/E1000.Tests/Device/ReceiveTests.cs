using System.Net.NetworkInformation;
using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace E1000.Tests.Device;

public class ReceiveTests
{
    private static readonly PhysicalAddress Group = PhysicalAddress.Parse("33-33-00-00-12-34");

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void A_frame_comes_into_the_guests_buffer_with_an_interrupt(GuestMemoryKind memory)
    {
        using Rig rig = new Rig(memory).Start();
        byte[] frame = Frames.To(Rig.Own, 500);

        rig.Receive(frame);

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.ReceiveTimer));
        rig["RDH"].Should().Be(1);
        rig.ReceivedBytes(0).Should().Equal(frame);
        Status(rig, 0).Should().Be(ReceiveStatus.Done | ReceiveStatus.EndOfPacket | ReceiveStatus.IgnoreChecksums);
    }

    [Fact]
    public void Room_for_the_check_sequence_is_in_the_buffer_unless_it_is_stripped()
    {
        using Rig rig = new Rig().Start();
        rig["RCTL"] = (ulong)(ReceiveControl.Enable);

        rig.Receive(Frames.To(Rig.Own, 500));

        rig.ReceivedBytes(0).Should().HaveCount(504);
    }

    [Fact]
    public void Frames_wait_while_the_ring_is_empty_and_come_in_order()
    {
        using Rig rig = new Rig().Start();
        for (int i = 0; i < Rig.RingSize + 5; i++)
            rig.Receive(Frames.To(Rig.Own, 100 + i));
        rig["RDH"].Should().Be(Rig.RingSize - 1);
        rig["RNBC"].Should().BePositive();

        rig["RDT"] = 10;

        rig["RDH"].Should().Be(5);
        rig.ReceivedBytes(Rig.RingSize - 1).Should().HaveCount(100 + Rig.RingSize - 1);
        rig.ReceivedBytes(4).Should().HaveCount(100 + Rig.RingSize + 4);
        rig["MPC"].Should().Be(0);
    }

    [Fact]
    public void Frames_for_which_there_is_no_place_are_lost_and_counted()
    {
        using Rig rig = new Rig(receiveBufferSize: 4200).Start();
        rig["RDT"] = 0;

        for (int i = 0; i < 6; i++)
            rig.Receive(Frames.To(Rig.Own, 1000));

        rig["MPC"].Should().Be(2);
        rig.Guest.Intx.Service(() => (rig["ICR"] & (ulong)InterruptCauses.ReceiverOverrun).Should().NotBe(0));
    }

    [Fact]
    public void The_guest_hears_of_it_when_descriptors_get_few()
    {
        using Rig rig = new Rig().Start();
        rig["IMC"] = (ulong)InterruptCauses.ReceiveTimer;

        for (int i = 0; i < 14; i++)
            rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Intx.ExpectNone();
        rig.Receive(Frames.To(Rig.Own));

        rig.Guest.Intx.WaitForNext();
    }

    [Fact]
    public void A_frame_larger_than_a_buffer_takes_several_descriptors()
    {
        using Rig rig = new Rig().Start();
        rig["RCTL"] = (ulong)(ReceiveControl.Enable | ReceiveControl.LongPackets | ReceiveControl.StripCheckSequence);
        byte[] frame = Frames.To(Rig.Own, 5000);

        rig.Receive(frame);

        byte[] received = [.. rig.ReceivedBytes(0), .. rig.ReceivedBytes(1), .. rig.ReceivedBytes(2)];
        received.Should().Equal(frame);
        Status(rig, 1).Should().Be(ReceiveStatus.Done);
        Status(rig, 2).Should().HaveFlag(ReceiveStatus.EndOfPacket);
    }

    [Theory]
    [InlineData(0u, 2048)]
    [InlineData(1u << 16, 1024)]
    [InlineData(2u << 16, 512)]
    [InlineData(3u << 16, 256)]
    [InlineData(1u << 16 | 1u << 25, 16384)]
    [InlineData(2u << 16 | 1u << 25, 8192)]
    [InlineData(3u << 16 | 1u << 25, 4096)]
    public void Buffers_have_the_size_that_the_guest_chose(uint bits, int size)
    {
        using Rig rig = new Rig().Start();
        rig["RCTL"] = bits | (uint)(ReceiveControl.Enable | ReceiveControl.LongPackets | ReceiveControl.StripCheckSequence);

        rig.Receive(Frames.To(Rig.Own, 7000));

        rig["RDH"].Should().Be((ulong)((7000 + size - 1) / size));
    }

    [Fact]
    public void A_frame_that_is_too_long_is_dropped_without_LPE()
    {
        using Rig rig = new Rig().Start();

        rig.Receive(Frames.To(Rig.Own, 1519));

        rig["RDH"].Should().Be(0);
        rig["ROC"].Should().Be(1);
    }

    [Fact]
    public void Frames_for_others_come_only_in_promiscuous_mode()
    {
        using Rig rig = new Rig().Start();

        rig.Receive(Frames.To(Frames.Peer));
        rig["RDH"].Should().Be(0);
        rig["RCTL"] = rig["RCTL"] | (ulong)ReceiveControl.UnicastPromiscuous;
        rig.Receive(Frames.To(Frames.Peer));
        rig["RDH"].Should().Be(1);
    }

    [Fact]
    public void Broadcasts_come_if_they_are_accepted()
    {
        using Rig rig = new Rig().Start();

        rig.Receive(Frames.To(Frames.Broadcast));
        rig["RDH"].Should().Be(1);
        rig["RCTL"] = (ulong)ReceiveControl.Enable;
        rig.Receive(Frames.To(Frames.Broadcast));
        rig["RDH"].Should().Be(1);
    }

    // the driver's hash of 33:33:00:00:12:34 with MO 0: 0x34 << 4 | 0x12 >> 4
    [Theory]
    [InlineData(0, 0x341)]
    [InlineData(1, 0x682)]
    [InlineData(2, 0xD04)]
    [InlineData(3, 0x412)]
    public void Groups_come_if_their_hash_is_in_the_table(int offset, int hash)
    {
        using Rig rig = new Rig().Start();
        rig["RCTL"] = rig["RCTL"] | (uint)offset << 12;

        rig.Receive(Frames.To(Group));
        rig["RDH"].Should().Be(0);
        rig[$"MTA[{hash >> 5}]"] = 1u << (hash & 31);
        rig.Receive(Frames.To(Group));

        rig["RDH"].Should().Be(1);
        Status(rig, 0).Should().HaveFlag(ReceiveStatus.PassedInexactFilter);
    }

    [Fact]
    public void An_address_of_the_other_fifteen_is_the_guests_too()
    {
        using Rig rig = new Rig().Start();
        rig["RA[15]"] = 0x8000_02BB_AA00_5452; // the peer's

        rig.Receive(Frames.To(Frames.Peer));

        rig["RDH"].Should().Be(1);
    }

    [Fact]
    public void Tags_are_taken_off_and_filtered_in_VLAN_mode()
    {
        using Rig rig = new Rig().Start();
        rig["CTRL"] = (ulong)(Control.SetLinkUp | Control.VlanMode);
        rig["RCTL"] = rig["RCTL"] | (ulong)ReceiveControl.VlanFilter;
        byte[] frame = Frames.To(Rig.Own);

        rig.Receive(Frames.Tagged(frame, 0x2005));
        rig["RDH"].Should().Be(0);
        rig["VFTA[0]"] = 1 << 5;
        rig.Receive(Frames.Tagged(frame, 0x2005));

        rig.ReceivedBytes(0).Should().Equal(frame);
        Status(rig, 0).Should().HaveFlag(ReceiveStatus.VlanPacket);
        (rig.Received(0) >> 48).Should().Be(0x2005);
    }

    // 16 bytes are the shortest that have the tag, and 18 the shortest that have a type behind it
    [Theory]
    [InlineData(14)]
    [InlineData(17)]
    public void A_frame_that_ends_in_its_tag_is_passed_on_as_it_is(int length)
    {
        using Rig rig = new Rig().Start();
        rig["CTRL"] = (ulong)(Control.SetLinkUp | Control.VlanMode);
        rig["RCTL"] = rig["RCTL"] | (ulong)ReceiveControl.VlanFilter;
        byte[] frame = Frames.Tagged(Frames.To(Rig.Own), 0)[..length];
        byte[] next = Frames.To(Rig.Own);

        rig.Receive(frame);
        rig.Receive(next);

        rig.ReceivedBytes(0).Should().Equal(frame);
        rig.ReceivedBytes(1).Should().Equal(next);
    }

    [Theory]
    [InlineData(-1, (int)(ReceiveStatus.TcpChecksumChecked | ReceiveStatus.IpChecksumChecked))]
    [InlineData(60, (int)(ReceiveStatus.TcpChecksumChecked | ReceiveStatus.IpChecksumChecked | ReceiveStatus.TcpChecksumError))]
    [InlineData(22, (int)(ReceiveStatus.TcpChecksumChecked | ReceiveStatus.IpChecksumChecked | ReceiveStatus.IpChecksumError))]
    public void Checksums_are_checked_if_the_guest_wants_it(int damaged, int expected)
    {
        using Rig rig = new Rig().Start();
        rig["RXCSUM"] = 0x300;
        byte[] frame = Frames.Tcp(Rig.Own, 101);
        if (damaged >= 0)
            frame[damaged]++;

        rig.Receive(frame);

        Status(rig, 0).Should().Be(ReceiveStatus.Done | ReceiveStatus.EndOfPacket | (ReceiveStatus)expected);
    }

    [Fact]
    public void The_sum_of_the_packet_begins_where_the_guest_says()
    {
        using Rig rig = new Rig().Start();
        rig["RXCSUM"] = 20;
        byte[] frame = Frames.To(Rig.Own, 101);

        rig.Receive(frame);

        ((ushort)(rig.Received(0) >> 16)).Should().Be(Frames.Sum(frame.AsSpan(20)));
    }

    [Fact]
    public void Statistics_count_and_a_read_clears_them()
    {
        using Rig rig = new Rig().Start();
        byte[] sent = Frames.To(Frames.Broadcast, 60);

        rig.Receive(Frames.To(Rig.Own, 60));
        rig.Receive(Frames.To(Frames.Broadcast, 200));
        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(sent), 60));

        rig["GPRC"].Should().Be(2);
        rig["GPRC"].Should().Be(0);
        rig["BPRC"].Should().Be(1);
        rig["PRC64"].Should().Be(1);
        rig["PRC255"].Should().Be(1);
        rig.Guest.Bar0.Read<uint>(0x4088).Should().Be(64 + 204);
        rig.Guest.Bar0.Read<uint>(0x408C).Should().Be(0);
        rig["GORC"].Should().Be(0);
        (rig["GPTC"], rig["BPTC"], rig["PTC64"], rig["GOTC"]).Should().Be((1, 1, 1, 64));
    }

    private static ReceiveStatus Status(Rig rig, uint index) => (ReceiveStatus)(rig.Received(index) >> 32);
}
