using VfioUser.Testing;

namespace VfioUser.Tests;

public class UnmodelledAccessTests
{
    [Fact]
    public void Each_unmodelled_offset_is_logged_once_and_every_access_counted()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        for (int i = 0; i < 3; i++)
        {
            guest.Bar0.Read<uint>(0x30).Should().Be(0);
            guest.Bar0.Write(0x140, 1u);
        }

        guest.Device.UnmodelledAccessCount.Should().Be(6);
        guest.Log.Where(line => line.Contains("reads 4 bytes at 0x30 of Bar0, where nothing is declared")).Should().ContainSingle();
        guest.Log.Where(line => line.Contains("writes 4 bytes at 0x40 of EEPROM, which is not modelled")).Should().ContainSingle();
    }

    [Fact]
    public void Ones_for_reserved_bits_are_logged_and_ignored()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        guest.Registers["CTRL"].Write(0x8000_0001);

        guest.Registers["CTRL"].Read().Should().Be(1);
        guest.Log.Should().Contain(line => line.Contains("writes ones to the reserved bits 0x80000000 of CTRL"));
    }

    [Fact]
    public void A_strict_test_fails_at_the_access()
    {
        using TestGuest guest = TestGuest.Attach(new Card(), new() { Strict = true });

        guest.Bar0.Invoking(bar => bar.Write(0x200, 1u)).Should().Throw<Client.VfioUserException>()
            .WithInnerException<InvalidOperationException>().WithMessage("*writes 4 bytes at 0x200 of Bar0*");
        guest.Registers["CTRL"].Invoking(register => register.Write(0x8000_0000)).Should().Throw<Client.VfioUserException>();
        guest.Bar0.Read<uint>(0x100).Should().Be(uint.MaxValue, "a read that throws gives all ones");

        guest.AcceptDeviceExceptions().Should().HaveCount(3);
    }

    [Fact]
    public void A_region_with_a_handler_has_no_such_places()
    {
        using TestGuest guest = TestGuest.Attach(new Card(), new() { Strict = true });

        guest.Bar1.Read<uint>(0x30).Should().Be(0);
        guest.Bar1.Write(0x30, 1u);

        guest.Device.UnmodelledAccessCount.Should().Be(0);
    }

    [Fact]
    public void A_guest_cannot_fill_the_log()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        for (long offset = 0x200; offset < 0x600; offset++)
            guest.Bar0.Read<byte>(offset);

        guest.Device.UnmodelledAccessCount.Should().Be(0x400);
        guest.Log.Count(line => line.Contains("where nothing is declared")).Should().Be(64);
    }

    private sealed class Card : PciDevice, IRegionHandler
    {
        public Card()
            : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            bar.AddRegister<uint>(0, new() { Name = "CTRL", Reserved = 0xFFFF_FF00 });
            bar.AddTag(0x100, 0x80, "EEPROM");
            AddBar(1, BarKind.Memory32, 0x1000, this);
        }

        public void Read(long offset, Span<byte> destination) => destination.Clear();

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            // takes all
        }
    }
}
