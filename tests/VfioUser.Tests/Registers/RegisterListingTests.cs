using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What the names of registers are good for.</summary>
public class RegisterListingTests
{
    [Fact]
    public void A_dump_is_a_table_and_two_dumps_are_compared()
    {
        Card card = new();
        RegisterDump before = RegisterDump.Of(card);
        card.Status.Value = 0x11;

        before.ToString().Should().Be("Bar0   0x0000  CTRL      0x00000000\nBar0   0x0008  STATUS    0x0001 (LINK)\nConfig 0x0040  VND.TEST  0x0000\n");
        before.Diff(RegisterDump.Of(card)).Should().Be("STATUS: 0x0001 (LINK) -> 0x0011 (LINK MODE=1)\n");
        before.Diff(before).Should().BeEmpty();
    }

    [Fact]
    public void A_dump_calls_no_handler_and_clears_nothing()
    {
        int reads = 0;
        Register<uint> cause = null!;
        BlankDevice device = new(device => cause = device.AddBar(0, BarKind.Memory32, 0x1000)
            .AddRegister<uint>(0, new() { Name = "ICR", Access = RegisterAccess.ReadToClear, OnRead = stored => stored + (uint)++reads }));
        cause.Value = 4;

        RegisterDump.Of(device).ToString().Should().Contain("0x00000004");

        cause.Value.Should().Be(4);
        reads.Should().Be(0);
    }

    [Fact]
    public void The_reference_of_a_device_is_made_from_its_declarations()
    {
        string text = RegisterReference.ToMarkdown(new Card());

        text.Should().Contain("## Bar0\n").And.Contain("| 0x0 | CTRL | 4 | RW, SC | 0x0 | Starts things. |")
            .And.Contain("| 0x8 | STATUS | 2 | RO | 0x1 |  |")
            .And.Contain("### STATUS\n").And.Contain("| 0 | LINK | RO | 0x1 |").And.Contain("| 7:4 | MODE | RO | 0x0 |")
            .And.Contain("## Config\n").And.Contain("| 0x40 | VND.TEST | 2 | RW | 0x0 |  |");
    }

    [Fact]
    public void A_test_accesses_registers_and_fields_by_name()
    {
        using TestGuest guest = TestGuest.Attach(new Card());
        guest.Registers["STATUS"].Read("LINK").Should().Be(1);
        guest.Registers["VND.TEST"].Write(0x1234);
        guest.Registers["CTRL"].Write("COUNT", 3);

        guest.Registers["VND.TEST"].Read().Should().Be(0x1234);
        guest.Registers["CTRL"].Describe().Should().Be("CTRL = 0x00000300 (COUNT=3)");
        guest.Registers.Invoking(registers => registers["CTRLX"]).Should().Throw<ArgumentException>().WithMessage("*CTRL, STATUS, VND.TEST*");
        guest.Registers["CTRL"].Invoking(register => register.Write("NONE", 1)).Should().Throw<ArgumentException>().WithMessage("*RST, COUNT*");
        guest.Registers["STATUS"].Invoking(register => register.Write(0x1_0000)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void An_exception_in_a_handler_names_its_register()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        guest.Registers["CTRL"].Invoking(register => register.Write(1)).Should().Throw<Client.VfioUserException>();

        guest.AcceptDeviceExceptions().Should().ContainSingle().Which.Register.Should().Be("CTRL");
        guest.Log.Should().Contain(line => line.Contains("RegionWrite at 0x0 of Bar0 (CTRL)"));
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            Register<uint> control = bar.AddRegister<uint>(0, new()
            {
                Name = "CTRL",
                Description = "Starts things.",
                SelfClearing = 1,
                OnWrite = write =>
                {
                    if (write.Sets(1))
                        throw new InvalidDataException("no reset today");
                },
            });
            control.AddFlag(0, "RST");
            control.AddField<byte>(8, 4, "COUNT");
            Status = bar.AddRegister<ushort>(8, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly, ResetValue = 1 });
            Status.AddFlag(0, "LINK");
            Status.AddField<byte>(4, 4, "MODE");
            Config.AddBlock(0x40, "VND").AddRegister<ushort>(0, new() { Name = "TEST" });
        }

        public Register<ushort> Status { get; }
    }
}
