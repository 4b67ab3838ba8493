using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigPowerManagementTests
{
    private readonly ConfigSpace _config = NewConfig();
    private readonly List<PowerState> _changes = [];

    private PowerManagementCapability Add(PowerManagementOptions? options = null)
    {
        PowerManagementCapability power = _config.AddPowerManagement(options);
        power.AddStateChangeHandler(_changes.Add);
        _config.Seal();
        return power;
    }

    [Fact]
    public void The_default_has_d0_and_d3hot_and_keeps_its_registers()
    {
        Add();

        _config.GuestBytes(0x40, 8).Should().Equal(0x01, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x00);
    }

    [Fact]
    public void Options_show_in_the_capabilities_register()
    {
        Add(new PowerManagementOptions { D1 = true, D2 = true, Pme = PmeStates.D0 | PmeStates.D3Hot | PmeStates.D3Cold });

        _config.Guest<ushort>(0x42).Should().Be(0xCE03);
    }

    [Fact]
    public void A_guest_puts_the_device_into_d3hot_and_back()
    {
        PowerManagementCapability power = Add();

        _config.Guest<ushort>(0x44, 0x0003);
        PowerState asleep = power.PowerState;
        _config.Guest<ushort>(0x44, 0x0003); // no change, no call
        _config.Guest<byte>(0x44, 0x00);

        asleep.Should().Be(PowerState.D3Hot);
        power.PowerState.Should().Be(PowerState.D0);
        _changes.Should().Equal(PowerState.D3Hot, PowerState.D0);
    }

    [Theory]
    [InlineData(1, false, 0x0008)]
    [InlineData(1, true, 0x0009)]
    [InlineData(2, false, 0x0008)]
    [InlineData(2, true, 0x000A)]
    public void An_optional_state_that_is_missing_is_not_entered(ushort wanted, bool has, ushort stored)
    {
        PowerManagementCapability power = Add(new PowerManagementOptions { D1 = has, D2 = has });

        _config.Guest(0x44, wanted);

        _config.Guest<ushort>(0x44).Should().Be(stored);
        power.PowerState.Should().Be((PowerState)(stored & 3));
        _changes.Should().HaveCount(has ? 1 : 0);
    }

    [Fact]
    public void Data_select_and_everything_else_is_read_only()
    {
        Add(new PowerManagementOptions { D1 = true });

        _config.Guest<ushort>(0x42, 0x0201); // PMC
        _config.Guest<ushort>(0x44, 0x0201); // D1, data select 1
        _config.Guest<ushort>(0x46, 0x0101); // bridge extensions, data

        _config.GuestBytes(0x42, 6).Should().Equal(0x03, 0x02, 0x09, 0x00, 0x00, 0x00);
    }

    [Fact]
    public void The_device_sets_pme_status_and_the_guest_clears_it()
    {
        PowerManagementCapability power = Add(new PowerManagementOptions { Pme = PmeStates.D3Hot });
        _config.Guest<ushort>(0x44, 0x0103); // D3hot, PME enabled

        power.PmeStatus = true;
        ushort raised = _config.Guest<ushort>(0x44);
        _config.Guest<ushort>(0x44, 0x0103); // writes 0 to the status: it stays
        bool kept = power.PmeStatus;
        _config.Guest<ushort>(0x44, 0x8103);

        raised.Should().Be(0x810B);
        kept.Should().BeTrue();
        power.IsPmeEnabled.Should().BeTrue();
        _config.Guest<ushort>(0x44).Should().Be(0x010B);
        _changes.Should().Equal(PowerState.D3Hot);
    }

    [Fact]
    public void Without_pme_the_bits_are_read_only_and_setting_the_status_throws()
    {
        PowerManagementCapability power = Add();

        _config.Guest<ushort>(0x44, 0x8100);
        Action raise = () => power.PmeStatus = true;

        _config.Guest<ushort>(0x44).Should().Be(0x0008);
        raise.Should().Throw<InvalidOperationException>().WithMessage("*PowerManagementOptions.Pme*");
    }

    [Fact]
    public void A_reset_brings_d0_back_without_a_call()
    {
        PowerManagementCapability power = Add();
        _config.Guest<ushort>(0x44, 0x0003);

        _config.Reset();
        PowerState after = power.PowerState;
        _config.Guest<ushort>(0x44, 0x0003);

        after.Should().Be(PowerState.D0);
        _changes.Should().Equal(PowerState.D3Hot, PowerState.D3Hot);
    }

    [Fact]
    public void Pme_from_a_state_that_is_missing_is_refused()
    {
        Action add = () => _config.AddPowerManagement(new PowerManagementOptions { Pme = PmeStates.D1 });

        add.Should().Throw<ArgumentException>().WithMessage("*PME from D1*set D1 or D2 too*");
    }

    [Fact]
    public void A_second_handler_is_called_after_the_first()
    {
        PowerManagementCapability power = _config.AddPowerManagement();
        List<string> calls = [];
        power.AddStateChangeHandler(state => calls.Add($"first {state}"));
        power.AddStateChangeHandler(state => calls.Add($"second {state}"));
        _config.Seal();

        _config.Guest<ushort>(0x44, 0x0003);

        calls.Should().Equal("first D3Hot", "second D3Hot");
    }

    [Fact]
    public void A_handler_cannot_be_added_while_served()
    {
        PowerManagementCapability power = Add();

        Action late = () => power.AddStateChangeHandler(_changes.Add);

        late.Should().Throw<InvalidOperationException>().WithMessage("*constructor*");
    }
}
