using System.Buffers.Binary;
using System.Numerics;
using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Client;
using VfioUser.Testing;

namespace E1000.Tests.Device;

public class MigrationTests
{
    private const int EndRecordSize = 12; // kind, length, checksum

    [Fact]
    public void A_card_goes_on_where_it_was_moved_to()
    {
        using Rig rig = new Rig().Start();
        CollectingPort there = new();
        using NetworkCard target = new();
        target.Plug(there);
        EepromTests.Command(rig, 0b100_110000);
        EepromTests.WriteWord(rig, 5, 0x1234);
        rig.WritePhy(16, 0x4321);
        rig["MTA[7]"] = 0x80;
        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Intx.WaitForNext();
        byte[] frame = Frames.To(Frames.Peer, 300);
        Iova address = rig.Guest.Place(frame);
        rig.Transmit(Descriptors.Legacy(address, 100, default)); // a packet that has only begun

        rig.MigrateTo(target);
        rig.Transmit(Descriptors.Legacy(address + 100, 200));

        there.Frames.Should().ContainSingle().Which.Should().Equal(frame);
        rig.Cable.Frames.Should().BeEmpty();
        EepromTests.ReadWord(rig, 5).Should().Be(0x1234);
        EepromTests.ReadWord(rig, 0).Should().Be(0x5452, "the EEPROM is the guest's");
        rig.ReadPhy(16).Should().Be(0x4321);
        rig["MTA[7]"].Should().Be(0x80);
        rig["GPRC"].Should().Be(1);
        (rig["ICR"] & (ulong)InterruptCauses.ReceiveTimer).Should().NotBe(0);
        target.Send(new NetworkFrame(Frames.To(Rig.Own, 111)));
        rig.Settle();
        rig.ReceivedBytes(1).Should().HaveCount(111);
    }

    [Fact]
    public void A_packet_is_completed_where_the_card_was_moved_to()
    {
        using Rig rig = new Rig().Start();
        CollectingPort there = new();
        using NetworkCard target = new();
        target.Plug(there);
        byte[] packet = Frames.Tcp(Frames.Peer, 4000);
        Iova address = rig.Guest.Place(packet);
        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: 1000, payload: 4000),
            Descriptors.Data(address, 1600, TransmitCommand.Segment));

        rig.MigrateTo(target);
        rig.Transmit(Descriptors.Data(address + 1600, packet.Length - 1600, Descriptors.Whole | TransmitCommand.Segment));

        rig.Cable.Frames.Should().BeEmpty();
        there.Frames.Should().OnlyContain(frame => Frames.IsValidTcp(frame));
        there.Frames.SelectMany(frame => frame[54..]).Should().Equal(packet[54..]);
        there.Frames.Select(frame => frame[41]).Should().Equal(Enumerable.Range(0, 4).Select(i => (byte)(1000 + i * 1000)));
    }

    [Fact]
    public void The_guest_hears_that_there_is_no_cable_where_it_was_moved_to()
    {
        using Rig rig = new Rig().Start();
        using NetworkCard target = new();

        rig.MigrateTo(target);

        (rig["STATUS"] & 2).Should().Be(0);
        (rig["ICR"] & (ulong)InterruptCauses.LinkStatusChange).Should().NotBe(0);
    }

    [Fact]
    public void A_delayed_interrupt_comes_where_the_card_was_moved_to()
    {
        using Rig rig = new Rig().Start();
        using NetworkCard target = new();
        target.Plug(new CollectingPort());
        rig["RDTR"] = 1000;
        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Advance(TimeSpan.FromMicroseconds(500));

        rig.MigrateTo(target);

        rig.Guest.Advance(TimeSpan.FromMicroseconds(520));
        rig.Guest.Intx.ExpectNone();
        rig.Guest.Advance(TimeSpan.FromMicroseconds(10));
        rig.Guest.Intx.WaitForNext();
    }

    [Fact]
    public void A_damaged_stream_is_refused_or_does_no_harm()
    {
        byte[] state;
        using (Rig rig = new Rig().Start())
        {
            rig.Transmit(Descriptors.Legacy(rig.Guest.Place(new byte[100]), 100, default));
            state = rig.Guest.Migration.Save();
        }
        Random random = new(3);
        for (int i = 0; i < 40; i++)
        {
            byte[] damaged = [.. state];
            for (int j = 0; j <= random.Next(4); j++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            using NetworkCard target = new();
            using TestGuest guest = TestGuest.Attach(target);
            Action restore = () => guest.Migration.Restore(damaged);

            restore.Should().Throw<Exception>("it has a checksum").Which.Should().NotBeOfType<IndexOutOfRangeException>();

            guest.Reset();
            guest.Registers["STATUS"].Read().Should().Be(0x281);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void A_stream_with_other_bytes_and_a_right_checksum_is_refused_or_does_no_harm(int seed)
    {
        byte[] state;
        using (Rig rig = new Rig().Start())
        {
            EepromTests.Command(rig, 0b100_110000);
            byte[] packet = Frames.Tcp(Frames.Peer, 4000);
            rig.Transmit(
                Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: 1000, payload: 4000),
                Descriptors.Data(rig.Guest.Place(packet), 1600, TransmitCommand.Segment));
            state = rig.Guest.Migration.Save();
        }
        Random random = new(seed);
        int accepted = 0;
        for (int i = 0; i < 100; i++)
        {
            byte[] changed = [.. state];
            for (int j = 0; j <= random.Next(4); j++)
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            SetChecksum(changed);
            using Rig rig = new();
            try
            {
                rig.Guest.Migration.Restore(changed);
                accepted++;
                Use(rig);
            }
            catch (VfioUserException)
            {
                // it was refused
            }
            rig.Guest.Reset();
            rig.Guest.StartDriver(PciIrqTypes.Intx);
            rig.Start();
            byte[] frame = Frames.To(Rig.Own);
            rig.Receive(frame);
            rig.ReceivedBytes(0).Should().Equal(frame);
        }
        accepted.Should().BePositive("most bytes are registers, which may have any value");
    }

    // whatever the registers say: both rings, the timers, the wires of the EEPROM
    private static void Use(Rig rig)
    {
        rig["TDT"] = (rig["TDT"] + 2) % Rig.RingSize;
        rig["TCTL"] = (ulong)TransmitControl.Enable;
        rig.Receive(Frames.To(Frames.Broadcast));
        EepromTests.Command(rig, 0b110_000101);
        rig.Guest.Advance(TimeSpan.FromSeconds(1));
    }

    private static void SetChecksum(Span<byte> stream)
    {
        uint checksum = uint.MaxValue;
        foreach (byte b in stream[..^EndRecordSize])
            checksum = BitOperations.Crc32C(checksum, b);
        BinaryPrimitives.WriteUInt32LittleEndian(stream[^sizeof(uint)..], checksum);
    }
}
