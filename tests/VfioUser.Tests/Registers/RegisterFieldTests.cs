using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegisterFieldTests
{
    [Flags]
    private enum Control : uint
    {
        None = 0,
        Enable = 1 << 0,
        Loopback = 1 << 3,
        Reset = 1u << 31,
    }

    private enum Speed : byte
    {
        Mbps10 = 0,
        Mbps100 = 1,
        Gbps1 = 2,
    }

    [Fact]
    public void Fields_of_enumerations_are_read_and_replaced_without_their_neighbours()
    {
        Register<uint> status = null!;
        (RegisterField<Speed> speed, RegisterField<bool> link, RegisterField<byte> lane) = (null!, null!, null!);
        using TestGuest guest = Attach(bar =>
        {
            status = bar.AddRegister<uint>(0, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly });
            link = status.AddFlag(1, "LU");
            speed = status.AddField<Speed>(6, 2, "SPEED");
            lane = status.AddField<byte>(24, 8, "LANE");
        });
        status.Value = 0x0000_FF3D;

        speed.Value = Speed.Mbps100;
        link.Value = true;
        lane.Value = 0xA5;

        guest.Bar0.Read<uint>(0).Should().Be(0xA500_FF7F);
        speed.Value.Should().Be(Speed.Mbps100);
        link.Value.Should().BeTrue();
        lane.Value.Should().Be(0xA5);
        speed.Invoking(field => field.Value = (Speed)4).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*2 bits*");
    }

    [Fact]
    public void A_field_has_an_access_of_its_own()
    {
        Register<uint> control = null!;
        using TestGuest guest = Attach(bar =>
        {
            control = bar.AddRegister<uint>(0, new() { Access = RegisterAccess.ReadOnly });
            control.AddFlag(0, "EN", RegisterAccess.ReadWrite);
            control.AddField<byte>(8, 4, "EVENTS", RegisterAccess.WriteOneToClear);
        });
        control.Value = 0xFF0;

        guest.Bar0.Write(0, 0x0000_0301u);

        control.Value.Should().Be(0xCF1);
    }

    [Fact]
    public void A_handler_asks_for_fields()
    {
        List<string> events = [];
        using TestGuest guest = Attach(bar =>
        {
            (RegisterField<bool> enable, RegisterField<Speed> speed) = (null!, null!);
            Register<uint> control = bar.AddRegister<uint>(0, new()
            {
                OnWrite = write =>
                {
                    if (write.Sets(enable))
                        events.Add("on");
                    if (write.Clears(enable))
                        events.Add("off");
                    if (write.Changes(speed))
                        events.Add(write.Get(speed).ToString());
                },
            });
            enable = control.AddFlag(0, "EN");
            speed = control.AddField<Speed>(8, 2, "SPEED");
        });

        guest.Bar0.Write(0, 1u);
        guest.Bar0.Write(0, 0x201u);
        guest.Bar0.Write(0, 0x200u);

        events.Should().Equal("on", "Gbps1", "off");
    }

    [Fact]
    public void The_members_of_an_enumeration_name_the_bits_of_a_register()
    {
        Register<Control> control = null!;
        int resets = 0;
        using TestGuest guest = Attach(bar => control = bar.AddRegister<Control>(0x10, new()
        {
            Name = "CTRL",
            SelfClearing = Control.Reset,
            OnWrite = write => resets += write.Sets(Control.Reset) ? 1 : 0,
        }));

        guest.Bar0.Write(control, Control.Enable | Control.Loopback | Control.Reset);

        resets.Should().Be(1);
        control.Value.Should().Be(Control.Enable | Control.Loopback);
        control.ToString().Should().Be("CTRL = 0x00000009 (Enable Loopback)");
        guest.Bar0.Read(control).Should().Be(Control.Enable | Control.Loopback);
    }

    [Fact]
    public void Fields_that_overlap_or_do_not_fit_are_refused_where_they_are_given()
    {
        BlankDevice device = new(_ => { });
        Register<ushort> register = device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<ushort>(0, new() { Name = "CMD" });
        register.AddField<byte>(4, 4, "MODE");

        register.Invoking(r => r.AddFlag(7, "X")).Should().Throw<ArgumentException>().WithMessage("*MODE*");
        register.Invoking(r => r.AddFlag(0, "MODE")).Should().Throw<ArgumentException>();
        register.Invoking(r => r.AddFlag(16, "Y")).Should().Throw<ArgumentException>().WithMessage("*bits 0 to 15*");
        register.Invoking(r => r.AddField<bool>(0, 2, "Z")).Should().Throw<ArgumentException>().WithMessage("*Boolean 1*");
        register.Invoking(r => r.AddField<byte>(0, 9, "W")).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Names_that_are_not_there_are_answered_with_those_that_are()
    {
        using TestGuest guest = Attach(bar =>
        {
            bar.AddRegister<uint>(0, new() { Name = "DATA" });
            bar.AddRegister<uint>(4, new() { Name = "CMD" }).AddFlag(0, "GO");
        });
        using TestGuest none = TestGuest.Attach(new BlankDevice());

        guest.Invoking(it => it.Registers["CTL"]).Should().Throw<ArgumentException>().WithMessage("The device has no register CTL. It has: DATA, CMD.*");
        guest.Invoking(it => it.Registers["CMD"].Read("EN")).Should().Throw<ArgumentException>().WithMessage("CMD has no field EN. It has: GO.*");
        guest.Invoking(it => it.Registers["DATA"].Read("EN")).Should().Throw<ArgumentException>().WithMessage("DATA has no field EN. It has: none.*");
        none.Invoking(it => it.Registers["CTL"]).Should().Throw<ArgumentException>().WithMessage("The device has no register CTL. It has: none.*");
    }

    private static TestGuest Attach(Action<Bar> declare) =>
        TestGuest.Attach(new BlankDevice(device => declare(device.AddBar(0, BarKind.Memory32, 0x1000))));
}
