using E1000.Device;
using E1000.Tests.Support;

namespace E1000.Tests.Device;

public class InterruptTests
{
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    // "ethtool -t": each cause alone, masked and unmasked
    [Fact]
    public void Each_cause_interrupts_unless_it_is_masked()
    {
        using Rig rig = new();

        for (int bit = 0; bit < 10; bit++)
        {
            ulong cause = 1ul << bit;
            rig["IMC"] = 0xFFFFFFFF;
            rig["ICS"] = cause;
            rig.Guest.Intx.ExpectNone();
            rig.Guest.Intx.ReadIsAsserted().Should().BeFalse();

            rig["IMS"] = cause;
            rig.Guest.Intx.Service(() => rig["ICR"].Should().Be(cause));
            rig["ICR"].Should().Be(0, "a read clears it");

            rig["ICS"] = ~cause & 0x7FFF;
            rig.Guest.Intx.ExpectNone();
            rig["ICR"].Should().Be(~cause & 0x7FFF);
        }
    }

    [Fact]
    public void A_write_of_ones_clears_causes_and_deasserts()
    {
        using Rig rig = new();
        rig["IMS"] = 0x90;
        rig["ICS"] = 0x90;

        rig["ICR"] = 0x80;
        rig.Guest.Intx.ReadIsAsserted().Should().BeTrue();
        rig["ICR"] = 0x10;
        rig.Guest.Intx.ReadIsAsserted().Should().BeFalse();
    }

    [Fact]
    public void Masking_the_cause_deasserts()
    {
        using Rig rig = new();
        rig["IMS"] = 0x80;
        rig["ICS"] = 0x80;

        rig["IMC"] = 0x80;

        rig.Guest.Intx.ReadIsAsserted().Should().BeFalse();
        rig["ICR"].Should().Be(0x80);
    }

    [Fact]
    public void ITR_keeps_the_next_interrupt_until_its_time()
    {
        using Rig rig = new();
        rig["ITR"] = 1000; // 256 us
        rig["IMS"] = 0x80;
        rig["ICS"] = 0x80;
        rig.Guest.Intx.Service(() => _ = rig["ICR"]);

        rig["ICS"] = 0x80;
        rig.Guest.Advance(255 * Microsecond);
        rig.Guest.Intx.ExpectNone();
        rig.Guest.Advance(2 * Microsecond);

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be(0x80));
    }

    [Fact]
    public void A_reset_ends_the_time_that_ITR_waits_for()
    {
        using Rig rig = new();
        rig["ITR"] = 1000;
        rig["IMS"] = 0x80;
        rig["ICS"] = 0x80;
        rig.Guest.Intx.Service(() => _ = rig["ICR"]);
        rig["ICS"] = 0x80;

        rig["CTRL"] = (ulong)Control.Reset;
        rig.Guest.Advance(1000 * Microsecond);

        rig.Guest.Intx.ExpectNone();
        rig["IMS"] = 0x80;
        rig["ICS"] = 0x80;
        rig.Guest.Intx.WaitForNext();
    }

    [Fact]
    public void RDTR_waits_until_no_frame_comes_any_more()
    {
        using Rig rig = new Rig().Start();
        rig["RDTR"] = 100; // 102.4 us

        for (int i = 0; i < 5; i++)
        {
            rig.Receive(Frames.To(Rig.Own));
            rig.Guest.Advance(100 * Microsecond);
            rig.Guest.Intx.ExpectNone();
        }
        rig.Guest.Advance(3 * Microsecond);

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.ReceiveTimer));
        rig["RDH"].Should().Be(5, "the frames themselves did not wait");
    }

    [Fact]
    public void RADV_bounds_what_RDTR_waits()
    {
        using Rig rig = new Rig().Start();
        rig["RDTR"] = 100;
        rig["RADV"] = 200; // 204.8 us

        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Advance(100 * Microsecond);
        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Advance(100 * Microsecond);
        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Intx.ExpectNone();
        rig.Guest.Advance(5 * Microsecond);

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.ReceiveTimer));
        rig.Guest.Advance(1000 * Microsecond);
        rig.Guest.Intx.ExpectNone();
    }

    [Fact]
    public void A_write_of_the_flush_bit_ends_the_waiting()
    {
        using Rig rig = new Rig().Start();
        rig["RDTR"] = 100;
        rig.Receive(Frames.To(Rig.Own));
        rig.Guest.Intx.ExpectNone();

        rig["RDTR"] = 1u << 31 | 100;

        rig.Guest.Intx.WaitForNext();
        rig["RDTR"].Should().Be(100);
    }

    [Fact]
    public void TIDV_is_for_descriptors_that_ask_for_it()
    {
        using Rig rig = new Rig().Start();
        rig["IMC"] = (ulong)InterruptCauses.TransmitQueueEmpty;
        rig["TIDV"] = 2000; // 2,048 us
        rig["TADV"] = 3000;
        byte[] frame = Frames.To(Frames.Peer);
        VfioUser.Iova address = rig.Guest.Place(frame);

        rig.Transmit(Descriptors.Legacy(address, frame.Length, Descriptors.Whole | TransmitCommand.DelayInterrupt));
        rig.Guest.Advance(2040 * Microsecond);
        rig.Guest.Intx.ExpectNone();
        rig.Guest.Advance(10 * Microsecond);
        rig.Guest.Intx.Service(() => _ = rig["ICR"]);

        rig.Transmit(Descriptors.Legacy(address, frame.Length));
        rig.Guest.Intx.WaitForNext();
    }

    [Fact]
    public void A_delay_of_sent_frames_is_no_shorter_than_the_shortest()
    {
        using Rig rig = new Rig().Start();
        rig["IMC"] = (ulong)InterruptCauses.TransmitQueueEmpty;
        rig["TIDV"] = 8;
        rig["TADV"] = 32;
        TimeSpan shortest = new NetworkCardOptions().TransmitInterruptDelay;
        byte[] frame = Frames.To(Frames.Peer);

        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), frame.Length, Descriptors.Whole | TransmitCommand.DelayInterrupt));

        rig.Guest.Advance(shortest - Microsecond);
        rig.Guest.Intx.ExpectNone();
        rig.Guest.Advance(2 * Microsecond);
        rig.Guest.Intx.Service(() => (rig["ICR"] & (ulong)InterruptCauses.TransmitDescriptorWritten).Should().NotBe(0));
    }

    [Fact]
    public void Half_a_ring_of_sent_frames_is_told_at_once()
    {
        using Rig rig = new Rig().Start();
        rig["IMC"] = (ulong)InterruptCauses.TransmitQueueEmpty;
        rig["TIDV"] = 2000;
        byte[] frame = Frames.To(Frames.Peer);
        var descriptor = Descriptors.Legacy(rig.Guest.Place(frame), frame.Length, Descriptors.Whole | TransmitCommand.DelayInterrupt);

        rig.Transmit([.. Enumerable.Repeat(descriptor, (Rig.RingSize / 2) - 1)]);
        rig.Guest.Intx.ExpectNone();
        rig.Transmit(descriptor);

        rig.Guest.Intx.Service(() => (rig["ICR"] & (ulong)InterruptCauses.TransmitDescriptorWritten).Should().NotBe(0));
        rig.Transmit(descriptor);
        rig.Guest.Intx.ExpectNone();
    }

    [Fact]
    public void An_interrupt_for_something_else_tells_of_what_waits()
    {
        using Rig rig = new Rig().Start();
        rig["IMC"] = (ulong)InterruptCauses.TransmitQueueEmpty;
        rig["TIDV"] = 2000;
        byte[] frame = Frames.To(Frames.Peer);
        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), frame.Length, Descriptors.Whole | TransmitCommand.DelayInterrupt));

        rig.Receive(Frames.To(Rig.Own));

        InterruptCauses both = InterruptCauses.ReceiveTimer | InterruptCauses.TransmitDescriptorWritten;
        rig.Guest.Intx.Service(() => (rig["ICR"] & (ulong)both).Should().Be((ulong)both));
        rig.Guest.Advance(3000 * Microsecond);
        rig.Guest.Intx.ExpectNone();
    }
}
