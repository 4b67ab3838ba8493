using System.Text.Json;

namespace VfioUser.Tool.Tests.Registers;

public class NamedAccessTests
{
    private static readonly VfioUserServerOptions WithMap = new() { RegisterMap = true };

    [Theory]
    [InlineData("CTRL", "0x00000381 (EN SPEED=Gbps1 COUNT=3)")]
    [InlineData("ctrl", "0x00000381 (EN SPEED=Gbps1 COUNT=3)")]
    [InlineData("bar0:CTRL", "0x00000381 (EN SPEED=Gbps1 COUNT=3)")]
    [InlineData("CTRL.SPEED", "0x2 (Gbps1)")]
    [InlineData("CTRL.COUNT", "0x3")]
    [InlineData("STATUS", "0x0000")]
    [InlineData("RX.BASE", "0x0000000000000000")]
    [InlineData("config:SAME", "0x00")]
    [InlineData("VND.TEST", "0x00")]
    [InlineData("bar0:0x90", "0x00000000")]
    public void Registers_and_fields_are_read_by_name(string name, string value)
    {
        NamedCard card = new();
        card.Control.Value = 0x381;
        using Served served = new(card, WithMap);

        ToolRun read = served.Run("read", name);

        read.Error.Should().BeEmpty();
        read.Out.Should().Be(value + "\n");
    }

    [Fact]
    public void A_register_is_written_whole()
    {
        NamedCard card = new();
        using Served served = new(card, WithMap);

        ToolRun written = served.Run("write", "CTRL", "0x41");

        written.Out.Should().Be("CTRL: 0x00000041 (EN SPEED=Mbps100) written\n");
        card.Control.Value.Should().Be(0x41);
    }

    [Theory]
    [InlineData("CTRL.EN", "1", 0x8000_0301)]
    [InlineData("CTRL.SPEED", "Gbps1", 0x8000_0380)]
    [InlineData("CTRL.COUNT", "0", 0x8000_0000)]
    public void A_field_is_read_changed_and_written_without_clearing_other_bits(string name, string value, uint after)
    {
        NamedCard card = new();
        card.Control.Value = 0x8000_0300;
        using Served served = new(card, WithMap);

        ToolRun written = served.Run("write", name, value);

        written.Error.Should().BeEmpty();
        written.Out.Should().StartWith("CTRL: 0x80000300 (SPEED=Mbps10 COUNT=3) read, 0x").And.Contain(" written; a change by the device in between is lost");
        card.Control.Value.Should().Be(after);
    }

    [Theory]
    [InlineData(2, "CTRL", "0x100000000", "does not fit into CTRL; the largest value is 0xffffffff.")]
    [InlineData(2, "CTRL.COUNT", "16", "does not fit into CTRL.COUNT; the largest value is 0xf.")]
    [InlineData(2, "CTRL.SPEED", "Gbps100", "'Gbps100' is no value of CTRL.SPEED; write a number, Mbps10, Mbps100, Gbps1.")]
    [InlineData(1, "ICR.TX", "1", "reading the register clears bits 0xffffffff")]
    [InlineData(1, "KEY.LOW", "1", "its bits 0xf0 cannot be read")]
    public void A_write_that_does_not_fit_or_would_do_more_is_refused(int exitCode, string name, string value, string because)
    {
        NamedCard card = new();
        using Served served = new(card, WithMap);

        ToolRun written = served.Run("write", name, value);

        written.ExitCode.Should().Be(exitCode);
        written.Error.Should().StartWith("vfio-user: ").And.Contain(because);
        written.Out.Should().BeEmpty();
        card.Control.Value.Should().Be(0);
    }

    [Theory]
    [InlineData("vfio-user: LOCKED was not read: the server refused it with EAGAIN.\n", "read")]
    [InlineData("vfio-user: LOCKED was not written: the server refused it with EPERM.\n", "write", "1")]
    public void A_refusal_names_the_register(string error, string command, params string[] more)
    {
        using Served served = new(new NamedCard(), WithMap);

        ToolRun run = served.Run(command, ["LOCKED", .. more]);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be(error);
    }

    [Theory]
    [InlineData("CTLR", "There is no register 'CTLR'; did you mean CTRL?")]
    [InlineData("CTRL.SPED", "CTRL has no field 'SPED'; did you mean SPEED?")]
    [InlineData("DOORBELL", "There is no register 'DOORBELL'. The command 'info --registers' lists them.")]
    [InlineData("SAME", "'SAME' is one of several registers: bar0:SAME, config:SAME.")]
    public void An_unknown_name_is_reported_with_the_nearest(string name, string error)
    {
        using Served served = new(new NamedCard(), WithMap);

        ToolRun read = served.Run("read", name);

        read.ExitCode.Should().Be(1);
        read.Error.Should().Be($"vfio-user: {error}\n");
    }

    [Theory]
    [InlineData("read", "CTRL")]
    [InlineData("write", "CTRL", "1")]
    [InlineData("watch", "CTRL")]
    [InlineData("info", "--registers")]
    public void A_server_without_names_is_reported(string command, params string[] more)
    {
        using Served served = new(new NamedCard());

        ToolRun run = served.Run(command, more);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("does not provide the names of its registers").And.Contain("VfioUserServerOptions.RegisterMap");
    }

    [Theory]
    [InlineData("read", "/nowhere", "CTRL", "0")]
    [InlineData("read", "/nowhere", "bar0")]
    [InlineData("read", "/nowhere", "bar0", "0", "--json")]
    [InlineData("read", "/nowhere", "CTRL", "--width", "4")]
    [InlineData("read", "/nowhere", "CTRL", "--length", "4")]
    [InlineData("write", "/nowhere", "CTRL")]
    [InlineData("write", "/nowhere", "CTRL", "0", "1")]
    [InlineData("write", "/nowhere", "CTRL", "1", "--width", "2")]
    [InlineData("watch", "/nowhere", "CTRL", "--offset", "0")]
    public void Names_do_not_mix_with_offsets_and_widths(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().StartWith("vfio-user: ").And.EndWith("\n");
    }

    [Fact]
    public void Registers_and_fields_are_listed()
    {
        using Served served = new(new NamedCard(), WithMap);

        ToolRun info = served.Run("info", "--registers");

        info.Error.Should().BeEmpty();
        info.Out.Should().Contain("Registers\n  bar0     0x0000  4  CTRL      RW, W1C  Starts it.\n")
            .And.Contain("0      EN  RW\n").And.Contain("7:6    SPEED  RW  Mbps10=0 Mbps100=1 Gbps1=2\n")
            .And.Contain("  config   0x0040  1  VND.TEST  RW\n");
        served.Run("info").Out.Should().NotContain("CTRL");
    }

    [Fact]
    public void Json_has_registers_and_values()
    {
        NamedCard card = new();
        card.Control.Value = 0x81;
        using Served served = new(card, WithMap);

        using JsonDocument info = JsonDocument.Parse(served.Run("info", "--registers", "--json").Out);
        using JsonDocument read = JsonDocument.Parse(served.Run("read", "CTRL", "--json").Out);
        using JsonDocument field = JsonDocument.Parse(served.Run("read", "CTRL.SPEED", "--json").Out);

        JsonElement control = info.RootElement.GetProperty("registers")[0];
        control.GetProperty("name").GetString().Should().Be("CTRL");
        control.GetProperty("region").GetInt32().Should().Be(0);
        control.GetProperty("fields")[1].GetProperty("members").GetProperty("Gbps1").GetInt32().Should().Be(2);
        read.RootElement.GetProperty("value").GetUInt64().Should().Be(0x81);
        read.RootElement.GetProperty("offset").GetInt32().Should().Be(0);
        read.RootElement.GetProperty("fields").GetProperty("SPEED").GetInt32().Should().Be(2);
        field.RootElement.GetProperty("name").GetString().Should().Be("CTRL.SPEED");
        field.RootElement.GetProperty("value").GetUInt64().Should().Be(2);
    }

    [Fact]
    public async Task Changes_of_a_register_or_of_a_field_alone_are_watched()
    {
        NamedCard card = new();
        using Served served = new(card, WithMap);
        using Lines tool = new("watch", served.Socket, "CTRL.SPEED", "--interval", "0.001", "--count", "1");
        tool.Next().Should().Be("watching CTRL.SPEED, 0x0 (Mbps10)");

        card.Control.Value = 1; // not the field
        card.Control.Value = 0x81;

        tool.Next().Should().EndWith("  CTRL.SPEED  0x0 (Mbps10) -> 0x2 (Gbps1)");
        (await tool.ExitCode()).Should().Be(0);
    }

    [Fact]
    public void The_check_command_finds_nothing_wrong_with_the_region_of_the_map()
    {
        using Served served = new(new NamedCard(), WithMap);

        ToolRun check = served.Run("check", "--rule", "region-info", "--rule", "region-index", "--rule", "write-read-only");

        check.Out.Should().Contain(" 0 failed");
    }
}
