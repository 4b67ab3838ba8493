using E1000.Device;
using E1000.Tests.Support;

namespace E1000.Tests.Device;

public class PhyTests
{
    private const ulong LinkUp = 1 << 1;

    [Fact]
    public void Identity_is_the_one_that_the_driver_looks_for()
    {
        using Rig rig = new();

        (rig.ReadPhy(2) << 16 | rig.ReadPhy(3) & 0xFFF0).Should().Be(0x01410C20);
    }

    [Fact]
    public void A_register_of_another_PHY_is_an_error()
    {
        using Rig rig = new();

        rig["MDIC"] = (2ul << 26) | (2ul << 21);

        (rig["MDIC"] >> 28 & 7).Should().Be(0b101, "it is ready, with an error");
    }

    [Fact]
    public void An_access_interrupts_if_it_should()
    {
        using Rig rig = new Rig().Start();

        rig["MDIC"] = (1ul << 29) | (2ul << 26) | (1ul << 21);

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.MdioAccessComplete));
    }

    [Fact]
    public void Link_follows_the_cable()
    {
        using Rig rig = new Rig().Start();
        (rig["STATUS"] & LinkUp).Should().Be(LinkUp);
        (rig.ReadPhy(1) & 0x24).Should().Be(0x24);

        rig.Card.Unplug();
        rig.Settle();

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.LinkStatusChange));
        (rig["STATUS"] & LinkUp).Should().Be(0);
        (rig.ReadPhy(1) & 0x24).Should().Be(0);

        rig.Card.Plug(rig.Cable);
        rig.Settle();

        rig.Guest.Intx.Service(() => rig["ICR"].Should().Be((ulong)InterruptCauses.LinkStatusChange));
        (rig["STATUS"] & LinkUp).Should().Be(LinkUp);
    }

    [Fact]
    public void Link_is_down_while_the_PHY_is_powered_down()
    {
        using Rig rig = new Rig().Start();

        rig.WritePhy(0, (ushort)MiiControl.PowerDown);
        (rig["STATUS"] & LinkUp).Should().Be(0);

        rig.WritePhy(0, (ushort)MiiControl.AutoNegotiation);
        (rig["STATUS"] & LinkUp).Should().Be(LinkUp);
    }

    [Fact]
    public void Reset_of_the_PHY_resets_its_registers_and_leaves_those_of_the_card()
    {
        using Rig rig = new Rig().Start();
        rig.WritePhy(16, 0x1234);
        rig.ReadPhy(16).Should().Be(0x1234);

        rig.WritePhy(0, (ushort)MiiControl.Reset);

        rig.ReadPhy(16).Should().Be(0x0360);
        rig.ReadPhy(0).Should().Be(0x1140);
        rig["RDLEN"].Should().NotBe(0);
    }

    [Fact]
    public void Reset_of_the_card_leaves_the_PHY()
    {
        using Rig rig = new Rig().Start();
        rig.WritePhy(16, 0x1234);

        rig["CTRL"] = (ulong)Control.Reset;

        rig.ReadPhy(16).Should().Be(0x1234);
    }

    [Fact]
    public void Frames_sent_in_loopback_come_back_without_a_cable()
    {
        using Rig rig = new Rig().Start();
        rig.Card.Unplug();
        rig.WritePhy(0, (ushort)(MiiControl.Loopback | MiiControl.FullDuplex));
        byte[] frame = Frames.To(Frames.Broadcast, 64);

        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), frame.Length));

        rig.ReceivedBytes(0).Should().Equal(frame);
        rig.Cable.Frames.Should().BeEmpty();
    }
}
