using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Registers in configuration space are those of regions.</summary>
public class ConfigRegisterTests
{
    [Fact]
    public void A_capability_is_made_of_registers()
    {
        Card card = new();
        using TestGuest guest = TestGuest.Attach(card);
        PciFunction function = guest.Enumerate();
        int at = function.Capabilities.Single(capability => capability.Id == 0x09).Offset;

        guest.Config.Read<byte>(at + 2).Should().Be(12);
        guest.Config.Write(at + 4, 0xFFFF_FFFFu);
        guest.Config.Write<byte>(at + 8, 0x01);

        card.Control.Value.Should().Be(0x0000_00FF);
        card.Kicks.Should().Equal(1);
        card.Control.Name.Should().Be("VND.CTRL");
        card.Config.Read<uint>(at + 4).Should().Be(0xFF);
    }

    [Fact]
    public void Status_bits_of_an_extended_capability_are_set_by_any_thread_and_cleared_by_the_guest()
    {
        Card card = new();
        using TestGuest guest = TestGuest.Attach(card);

        card.Errors.SetBits(0x0000_5000);
        guest.Config.Read<uint>(0x104).Should().Be(0x5000);
        guest.Config.Write(0x104, 0x1000u);

        card.Errors.Value.Should().Be(0x4000);
    }

    [Fact]
    public void Sticky_bits_outlive_a_function_level_reset()
    {
        Card card = new();
        using TestGuest guest = TestGuest.Attach(card);
        card.Errors.Value = 0x5000;
        card.Control.Value = 0x7F;

        long control = (card.Config.PciExpress!.Offset + 8);
        guest.Config.Write(control, (ushort)(guest.Config.Read<ushort>(control) | 0x8000));

        card.Errors.Value.Should().Be(0x5000);
        card.Control.Value.Should().Be(0);
        guest.Reset();
        card.Errors.Value.Should().Be(0);
    }

    [Fact]
    public void A_migration_carries_them()
    {
        Card source = new();
        Card target = new();
        using TestGuest guest = TestGuest.Attach(source);
        source.Errors.Value = 0x5000;
        guest.Config.Write(0x104 + 4, 0xCAFEu);

        using TestGuest moved = guest.MigrateTo(target);

        target.Errors.Value.Should().Be(0x5000);
        target.Mask.Value.Should().Be(0xCAFE);
    }

    [Fact]
    public void Registers_do_not_overlap_capabilities_or_each_other()
    {
        BlankDevice device = new(_ => { });
        PciCapability capability = device.Config.AddVendorSpecific(new byte[9]);

        device.Config.Invoking(config => config.AddRegister<uint>(capability.Offset + 4)).Should().Throw<ArgumentException>();
        device.Config.Invoking(config => config.AddRegister<uint>(0x10)).Should().Throw<ArgumentException>();
        device.Config.AddRegister<uint>(0xE0);
        device.Config.Invoking(config => config.AddRegister<byte>(0xE3)).Should().Throw<ArgumentException>();
        device.Config.AddRegister<byte>(0xE4, new() { Name = "CTRL" });
        device.Config.Invoking(config => config.AddRegister<byte>(0xE5, new() { Name = "CTRL" })).Should().Throw<ArgumentException>().WithMessage("*CTRL*");
        device.Config.Invoking(config => config.AddRegister<uint>(0x100)).Should().Throw<ArgumentException>().WithMessage("*Extend*");
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
        {
            Config.AddPciExpress();
            RegisterBlock vendor = Config.AddCapabilityBlock(0x09, 12, "VND");
            vendor.AddRegister<byte>(2, new() { Name = "LENGTH", Access = RegisterAccess.ReadOnly, ResetValue = 12 });
            Control = vendor.AddRegister<uint>(4, new() { Name = "CTRL", WriteMask = 0xFF });
            vendor.AddDoorbell<byte>(8, Kicks.Add);
            RegisterBlock errors = Config.AddExtendedCapabilityBlock(0x0001, 2, 0x2C, "AER");
            Errors = errors.AddRegister<uint>(4, new() { Name = "UESTA", Access = RegisterAccess.WriteOneToClear, Sticky = uint.MaxValue });
            Mask = errors.AddRegister<uint>(8, new() { Name = "UEMSK", Sticky = uint.MaxValue });
            EnableMigration();
        }

        public Register<uint> Control { get; }

        public Register<uint> Errors { get; }

        public Register<uint> Mask { get; }

        public List<byte> Kicks { get; } = [];
    }
}
