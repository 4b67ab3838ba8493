using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace E1000.Tests.Device;

/// <summary>What a guest can write that no driver writes: the card goes on, and so does the connection.</summary>
public class HostileGuestTests
{
    private static readonly Iova Nowhere = new(0x7000_0000_0000);

    [Theory]
    [InlineData("TDH", 32)]
    [InlineData("TDH", 0xFFFF)]
    [InlineData("TDT", 32)]
    [InlineData("TDT", 0xFFFF)]
    [InlineData("TDLEN", 0)]
    public void Numbers_that_make_no_transmit_ring_send_nothing(string register, uint value)
    {
        using Rig rig = new Rig().Start();
        rig["TCTL"] = 0;
        Iova frame = rig.Guest.Place(Frames.To(Frames.Peer));
        rig.Transmit(Descriptors.Legacy(frame, 100));

        rig[register] = value;
        rig["TCTL"] = (ulong)TransmitControl.Enable;
        rig.Settle();

        rig.Cable.Frames.Should().BeEmpty();
    }

    [Theory]
    [InlineData("RDH", 32)]
    [InlineData("RDT", 0xFFFF)]
    [InlineData("RDLEN", 0)]
    public void Numbers_that_make_no_receive_ring_receive_nothing(string register, uint value)
    {
        using Rig rig = new Rig().Start();

        rig[register] = value;
        rig.Receive(Frames.To(Rig.Own));

        rig.Received(0).Should().Be(0);
    }

    [Fact]
    public void A_ring_in_no_memory_sends_and_receives_nothing_until_it_is_mended()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Rig.Own);
        Iova address = rig.Guest.Place(frame);
        rig["TDBA"] = Nowhere.Value;
        rig["RDBA"] = ulong.MaxValue;

        rig.Transmit(Descriptors.Legacy(address, frame.Length));
        rig.Receive(frame);

        rig.Cable.Frames.Should().BeEmpty();
        rig["TDH"].Should().Be(0);
        rig["RDH"].Should().Be(0);
        rig["TDBA"] = rig.TransmitRing.Address.Value;
        rig["RDBA"] = rig.ReceiveRing.Address.Value;
        rig["TCTL"] = rig["TCTL"];
        rig.Receive(frame);
        rig.Cable.Frames.Should().ContainSingle();
        rig.ReceivedBytes(0).Should().Equal(frame);
    }

    [Fact]
    public void A_buffer_in_no_memory_loses_its_frame_alone()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer);

        rig.Transmit(Descriptors.Legacy(Nowhere, 100), Descriptors.Legacy(new Iova(ulong.MaxValue - 10), 100), Descriptors.Legacy(rig.Guest.Place(frame), frame.Length));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
        rig["TDH"].Should().Be(3);
    }

    [Fact]
    public void A_packet_without_an_end_is_bounded()
    {
        using Rig rig = new Rig().Start();
        Iova data = rig.Guest.Memory.Allocate(0x10000);
        byte[] frame = Frames.To(Frames.Peer);

        for (int i = 0; i < 10; i++)
            rig.Transmit([.. Enumerable.Repeat(Descriptors.Legacy(data, 0xFFFF, TransmitCommand.ReportStatus), 30)]);
        rig.Transmit(Descriptors.Legacy(data, 0xFFFF), Descriptors.Legacy(rig.Guest.Place(frame), frame.Length));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Theory]
    [InlineData(54, 0)]
    [InlineData(54, 1)]
    [InlineData(54, 0xFFFF)]
    [InlineData(54, 31)]
    [InlineData(255, 16_200)]
    public void Segments_of_an_impossible_size_are_not_sent(int headerLength, int segmentSize)
    {
        using Rig rig = new Rig().Start();
        byte[] packet = Frames.Tcp(Frames.Peer, 10_000);

        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, headerLength, segmentSize, 10_000),
            Descriptors.Data(rig.Guest.Place(packet), packet.Length, Descriptors.Whole | TransmitCommand.Segment, options: 3));

        rig.Cable.Frames.Should().BeEmpty();
        rig["TSCTFC"].Should().Be(1);
        rig["TDH"].Should().Be(2);
    }

    [Fact]
    public void Any_context_with_any_data_does_no_harm()
    {
        using Rig rig = new Rig().Start();
        Random random = new(12);
        Iova data = rig.Guest.Memory.Allocate(1 << 20);
        Span<(ulong Low, ulong High)> descriptors = stackalloc (ulong, ulong)[16];
        for (int round = 0; round < 300; round++)
        {
            foreach (ref (ulong Low, ulong High) descriptor in descriptors)
            {
                ulong high = (ulong)random.NextInt64() << 1;
                ulong low = random.Next(3) == 0 ? (ulong)random.NextInt64() : data.Value + (ulong)random.Next(1 << 19);
                // sizes as they are and as they might be
                descriptor = random.Next(2) == 0 ? (low, high) : Descriptors.Context(ContextCommand.Tcp | ContextCommand.Segment,
                    random.Next(256), 48 + random.Next(2000), random.Next(1 << 20), random.Next(64), random.Next(128));
            }
            rig.Transmit(descriptors);
        }
        byte[] frame = Frames.To(Frames.Peer, 99);
        rig.Transmit(Descriptors.Legacy(data, 0), Descriptors.Legacy(rig.Guest.Place(frame), 99)); // the first ends what was begun

        rig.Cable.Frames[^1].Should().Equal(frame);
        rig.Cable.Frames.Should().OnlyContain(sent => sent.Length <= NetworkCard.MaxFrameLength + Ethernet.VlanTagLength);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Accesses_of_every_width_at_every_register_do_no_harm(int width)
    {
        using Rig rig = new Rig().Start();
        Random random = new(width);
        byte[] bytes = new byte[width];
        foreach (RegisterInfo register in rig.Card.GetRegisters())
        {
            GuestRegion region = rig.Guest.Region(register.Region);
            for (long offset = register.Offset; offset < register.Offset + register.Width && offset + width <= region.GetSize(); offset++)
            {
                foreach (byte fill in (byte[])[0xFF, 0x00, 0xA5])
                {
                    random.NextBytes(bytes);
                    if (fill != 0xA5)
                        bytes.AsSpan().Fill(fill);
                    region.Write(offset, bytes);
                    region.Read(offset, bytes);
                }
            }
        }
        rig.Settle();

        rig.Guest.Reset();
        rig.Guest.StartDriver(PciIrqTypes.Intx);
        rig.Start();
        byte[] frame = Frames.To(Rig.Own);
        rig.Receive(frame);
        rig.ReceivedBytes(0).Should().Equal(frame);
    }

    [Fact]
    public void A_reset_in_the_middle_of_a_packet_forgets_its_beginning()
    {
        using Rig rig = new Rig().Start();
        byte[] frame = Frames.To(Frames.Peer);
        Iova address = rig.Guest.Place(frame);
        rig.Transmit(Descriptors.Legacy(address, 50, default));

        rig["CTRL"] = (ulong)Control.Reset;
        rig.Start();
        rig.Transmit(Descriptors.Legacy(address, frame.Length));

        rig.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public async Task Resets_while_frames_come_do_no_harm()
    {
        using Rig rig = new Rig().Start();
        using CancellationTokenSource stop = new();
        Task sending = Task.Run(() =>
        {
            byte[] frame = Frames.To(Rig.Own, 1000);
            while (!stop.IsCancellationRequested)
                rig.Card.Send(new NetworkFrame(frame));
        });

        for (int i = 0; i < 30; i++)
        {
            rig.Guest.Reset();
            rig.Guest.StartDriver(PciIrqTypes.Intx);
            rig.Start();
            rig["CTRL"] = (ulong)Control.Reset;
            rig.Start();
            rig.Guest.Intx.Unmask();
            rig.Guest.Intx.WaitForNext();
        }
        // the last interrupt may be of before the last reset
        SpinWait.SpinUntil(() => rig["GPRC"] > 0, TimeSpan.FromSeconds(60)).Should().BeTrue();
        await stop.CancelAsync();
        await sending;
    }

    [Fact]
    public void Without_bus_mastering_the_card_touches_no_memory()
    {
        using Rig rig = new Rig().Start();
        Iova frame = rig.Guest.Place(Frames.To(Frames.Peer));
        rig.Guest.Enumerate().ClearCommand(PciCommands.BusMaster);

        rig.Transmit(Descriptors.Legacy(frame, 100));
        rig.Receive(Frames.To(Rig.Own));

        rig.Cable.Frames.Should().BeEmpty();
        rig.Received(0).Should().Be(0);
    }
}
