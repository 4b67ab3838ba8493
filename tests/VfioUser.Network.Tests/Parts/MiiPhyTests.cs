namespace VfioUser.Network.Tests;

public class MiiPhyTests
{
    [Theory]
    [InlineData(LinkModes.GigabitEthernet, 0x1140, 0x7949, 0x0DE1, 0x0300, 0x3000)]
    [InlineData(LinkModes.FastEthernet, 0x3100, 0x7849, 0x0DE1, 0x0000, 0x0000)]
    [InlineData(LinkModes.Half10, 0x1000, 0x0849, 0x0021, 0x0000, 0x0000)]
    [InlineData(LinkModes.Full1000 | LinkModes.Pause, 0x1140, 0x0149, 0x0401, 0x0200, 0x2000)]
    public void Registers_say_what_it_can_do(LinkModes modes, int control, int status, int advertised, int gigabit, int extended)
    {
        using PhyCard card = new(modes);

        int[] registers = [.. Enumerable.Range(0, 32).Select(number => (int)card.Phy.Read(number))];

        registers[..7].Should().Equal(control, status, 0x0141, 0x0C25, advertised, 0, 0);
        (registers[9], registers[10], registers[15]).Should().Be((gigabit, 0, extended));
        registers[16].Should().Be(0x1234);
    }

    [Theory]
    [InlineData(LinkModes.GigabitEthernet, 0x0DE1, 0x0300, 1000, true)]
    [InlineData(LinkModes.GigabitEthernet, 0x0DE1, 0x0100, 1000, false)]
    [InlineData(LinkModes.GigabitEthernet, 0x0DE1, 0x0000, 100, true)]
    [InlineData(LinkModes.GigabitEthernet, 0x0061, 0x0000, 10, true)]
    [InlineData(LinkModes.GigabitEthernet, 0x0001, 0x0000, 0, false)]
    [InlineData(LinkModes.FastEthernet, 0x0DE1, 0x0300, 100, true)]
    [InlineData(LinkModes.Half100 | LinkModes.Full10, 0x0DE1, 0x0300, 100, false)]
    [InlineData(LinkModes.Half10 | LinkModes.Pause, 0x0DE1, 0x0300, 10, false)]
    [InlineData(LinkModes.Half10, 0x0180, 0x0300, 0, false)]
    [InlineData(LinkModes.Pause, 0x0DE1, 0x0300, 0, false)]
    [InlineData(LinkModes.None, 0x0DE1, 0x0300, 0, false)]
    public void Best_mode_of_both_ends_is_negotiated(LinkModes partner, int advertised, int gigabit, int speed, bool isFullDuplex)
    {
        using PhyCard card = new(partner: partner);

        card.Phy.Write(4, (ushort)advertised);
        card.Phy.Write(9, (ushort)gigabit);
        card.Control |= MiiControl.RestartAutoNegotiation;

        (card.Phy.Speed, card.Phy.IsFullDuplex, card.Phy.IsLinkUp).Should().Be((speed, isFullDuplex, speed > 0));
        card.ShowsNegotiated.Should().Be(speed > 0);
        _ = card.ShowsLink; // the link of the reset may be lost
        card.ShowsLink.Should().Be(speed > 0);
    }

    [Fact]
    public void Partner_is_in_the_registers_while_the_link_is_negotiated()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);

        (card.Phy.Read(5), card.Phy.Read(6), card.Phy.Read(10)).Should().Be((0x4DE1, 1, 0x3C00));

        card.Phy.Partner = LinkModes.Full100;
        (card.Phy.Read(5), card.Phy.Read(6), card.Phy.Read(10)).Should().Be((0x4101, 1, 0x0000));

        card.Control = MiiControl.Speed100;
        (card.Phy.Read(5), card.Phy.Read(6), card.Phy.Read(10)).Should().Be((0, 0, 0));
    }

    [Fact]
    public void New_advertisement_counts_when_negotiation_begins_again()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);
        card.Phy.Write(9, 0);
        card.Phy.Speed.Should().Be(1000);

        card.Control |= MiiControl.RestartAutoNegotiation;

        card.Phy.Speed.Should().Be(100);
        card.Control.Should().NotHaveFlag(MiiControl.RestartAutoNegotiation, "it clears itself");
    }

    [Theory]
    [InlineData(MiiControl.None, LinkModes.GigabitEthernet, 10, false)]
    [InlineData(MiiControl.FullDuplex, LinkModes.GigabitEthernet, 10, true)]
    [InlineData(MiiControl.Speed100 | MiiControl.FullDuplex, LinkModes.Half100, 100, true)]
    [InlineData(MiiControl.Speed100, LinkModes.Full10, 0, false)]
    [InlineData(MiiControl.Speed1000 | MiiControl.FullDuplex, LinkModes.GigabitEthernet, 1000, true)]
    [InlineData(MiiControl.Speed1000 | MiiControl.FullDuplex, LinkModes.FastEthernet, 0, false)]
    public void A_forced_mode_has_a_link_if_the_partner_has_the_speed(MiiControl control, LinkModes partner, int speed, bool isFullDuplex)
    {
        using PhyCard card = new(partner: partner);

        card.Control = control;

        (card.Phy.Speed, card.Phy.IsFullDuplex, card.Phy.IsLinkUp).Should().Be((speed, isFullDuplex && speed > 0, speed > 0));
        card.ShowsNegotiated.Should().BeFalse();
    }

    [Fact]
    public void A_PHY_without_1000_has_no_bit_for_it()
    {
        using PhyCard card = new(LinkModes.FastEthernet, LinkModes.GigabitEthernet);

        card.Control = MiiControl.Speed1000 | MiiControl.FullDuplex;

        card.Control.Should().Be(MiiControl.FullDuplex);
        card.Phy.Speed.Should().Be(10);
    }

    // 22.2.4.2.13: so a driver that polls hears of it
    [Fact]
    public void A_link_that_was_lost_and_is_back_is_shown_as_lost_once()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);
        card.ShowsLink.Should().BeTrue("it was never lost");

        card.Phy.Partner = LinkModes.None;
        card.Phy.Partner = LinkModes.FastEthernet;

        card.Phy.IsLinkUp.Should().BeTrue();
        card.ShowsLink.Should().BeFalse();
        card.ShowsLink.Should().BeTrue();
        card.Phy.Partner = LinkModes.None;
        card.ShowsLink.Should().BeFalse();
        card.ShowsLink.Should().BeFalse();
        card.Phy.Partner = LinkModes.FastEthernet;
        card.ShowsLink.Should().BeTrue("that it was lost has been read");
    }

    [Fact]
    public void Powered_down_it_has_no_link_and_still_its_registers()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);

        card.Control = MiiControl.AutoNegotiation | MiiControl.PowerDown;

        (card.Phy.IsLinkUp, card.Phy.Speed).Should().Be((false, 0));
        card.Phy.Read(2).Should().Be(0x0141);
        card.Control = MiiControl.AutoNegotiation;
        card.Phy.Speed.Should().Be(1000);
    }

    [Theory]
    [InlineData(MiiControl.Loopback | MiiControl.Speed1000 | MiiControl.FullDuplex, 1000)]
    [InlineData(MiiControl.Loopback | MiiControl.Speed100, 100)]
    [InlineData(MiiControl.Loopback | MiiControl.AutoNegotiation, 1000)]
    public void Loopback_needs_no_partner(MiiControl control, int speed)
    {
        using PhyCard card = new();

        card.Control = control;

        (card.Phy.IsLoopback, card.Phy.IsLinkUp, card.Phy.Speed).Should().Be((true, true, speed));
        card.ShowsLink.Should().BeTrue();
        card.Control = MiiControl.AutoNegotiation;
        (card.Phy.IsLoopback, card.Phy.IsLinkUp).Should().Be((false, false));
    }

    [Fact]
    public void Isolated_it_keeps_its_link()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);

        card.Control |= MiiControl.Isolate;

        (card.Phy.IsIsolated, card.Phy.IsLinkUp).Should().Be((true, true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Reset_gives_all_registers_their_values_and_negotiates_again(bool byTheDriver)
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);
        card.Control = MiiControl.PowerDown;
        card.Phy.Write(4, 0);
        card.Phy.Write(16, 0x4321);

        if (byTheDriver)
            card.Control = MiiControl.Reset | MiiControl.Loopback;
        else
            card.Phy.Reset();

        card.Control.Should().Be((MiiControl)0x1140);
        (card.Phy.Read(4), card.Phy.Read(16)).Should().Be((0x0DE1, 0x1234));
        (card.Phy.Speed, card.ShowsLink, card.Phy.IsLoopback).Should().Be((1000, true, false));
    }

    [Fact]
    public void Device_is_told_of_what_the_driver_has_changed_and_nothing_else()
    {
        using PhyCard card = new();

        card.Phy.Partner = LinkModes.GigabitEthernet;
        card.Phy.Reset();
        card.Phy.Write(4, 0);
        card.Phy.Write(9, 0);
        card.Control |= MiiControl.CollisionTest;
        card.LinkChanges.Should().Be(0);

        card.Control |= MiiControl.Isolate;
        card.Control |= MiiControl.RestartAutoNegotiation;
        card.Control |= MiiControl.RestartAutoNegotiation;
        card.Control = MiiControl.Reset;

        card.LinkChanges.Should().Be(4);
    }

    [Fact]
    public void Read_only_registers_keep_their_values()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);
        int[] numbers = [1, 2, 3, 5, 6, 8, 10, 11, 12, 13, 14, 15, 17, 31];
        int[] before = [.. numbers.Select(number => (int)card.Phy.Read(number))];

        foreach (int number in numbers)
            card.Phy.Write(number, (ushort)~card.Phy.Read(number));

        numbers.Select(number => (int)card.Phy.Read(number)).Should().Equal(before);
    }

    [Fact]
    public void Any_writes_do_no_harm()
    {
        using PhyCard card = new();
        Random random = new(9);
        for (int i = 0; i < 5000; i++)
        {
            card.Phy.Write(random.Next(32), (ushort)random.Next(0x10000));
            card.Phy.Partner = (LinkModes)random.Next();
            card.Phy.Speed.Should().BeOneOf(0, 10, 100, 1000);
            card.Phy.IsLinkUp.Should().Be(card.Phy.Speed > 0);
            card.Phy.Read(random.Next(32));
        }

        card.Control = MiiControl.Reset;
        card.Phy.Partner = LinkModes.GigabitEthernet;

        card.Phy.Speed.Should().Be(1000);
    }

    [Fact]
    public void Reset_of_the_device_resets_the_registers_and_keeps_the_partner()
    {
        using PhyCard card = new(partner: LinkModes.FastEthernet);
        using TestGuest guest = TestGuest.Attach(card);
        guest.Registers["VENDOR"].Write(1);
        guest.Registers["BMCR"].Write((ulong)MiiControl.PowerDown);

        guest.Reset();

        guest.Registers["VENDOR"].Read().Should().Be(0x1234);
        (guest.Registers["BMSR"].Read() & 1 << 2).Should().NotBe(0);
        card.Phy.Speed.Should().Be(100);
    }

    [Fact]
    public void Registers_migrate_and_the_link_is_that_of_the_new_place()
    {
        using PhyCard card = new(partner: LinkModes.GigabitEthernet);
        using PhyCard target = new(partner: LinkModes.Full10);
        using TestGuest guest = TestGuest.Attach(card);
        guest.Registers["VENDOR"].Write(0x4321);
        guest.Registers["ADVERTISE"].Write(0x0061);
        guest.Registers["CTRL1000"].Write(0);

        using TestGuest moved = guest.MigrateTo(target);

        moved.Registers["VENDOR"].Read().Should().Be(0x4321);
        (target.Phy.Speed, target.Phy.IsFullDuplex).Should().Be((10, true));
        moved.Registers["LPA"].Read().Should().Be(0x4041);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(32)]
    public void Numbers_of_no_register_are_refused(int number)
    {
        using PhyCard card = new();
        Action read = () => card.Phy.Read(number);
        Action write = () => card.Phy.Write(number, 0);
        Action add = () => card.Phy.AddRegister<ushort>(number, new());
        Action address = () => _ = new PhyCard(address: number);

        read.Should().Throw<ArgumentOutOfRangeException>();
        write.Should().Throw<ArgumentOutOfRangeException>();
        add.Should().Throw<ArgumentOutOfRangeException>();
        address.Should().Throw<ArgumentException>().WithMessage("*0 to 31*");
    }

    [Fact]
    public void Registers_that_are_there_or_have_another_width_are_refused()
    {
        using PhyCard card = new();
        Action again = () => card.Phy.AddRegister<ushort>(4, new());
        Action wide = () => card.Phy.AddRegister<uint>(20, new());
        Action none = () => _ = new PhyCard(LinkModes.Pause);

        again.Should().Throw<ArgumentException>();
        wide.Should().Throw<ArgumentException>().WithMessage("*16 bits*");
        none.Should().Throw<ArgumentException>().WithMessage("*modes*");
    }
}
