using System.Text.Json;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace VfioUser.Tool.Tests;

public class CheckTests
{
    [Fact]
    public void The_gpio_card_breaks_no_rule() => Passes(new Gpio.GpioCard());

    [Fact]
    public void The_crc32c_engine_breaks_no_rule() => Passes(new Crc32cDevice());

    [Fact]
    public void A_device_with_mapped_memory_and_several_vectors_breaks_no_rule() => Passes(new Everything());

    [Fact]
    public void The_nvme_controller_breaks_no_rule()
    {
        using MemoryDisk disk = new(8 << 20);
        using NvmeController controller = new([disk]);

        Passes(controller);
    }

    [Fact]
    public void Intx_that_an_earlier_client_has_disabled_breaks_no_rule()
    {
        using Served served = new(new Gpio.GpioCard());
        served.Run("write", "config", "4", "0x400", "--width", "2").ExitCode.Should().Be(0);

        ToolRun run = served.Run("check", "--rule", "irqs-eventfd", "--rule", "irqs-bool");

        run.Out.Should().Contain("2 passed, 0 failed");
        served.Run("read", "config", "4", "--width", "2").Out.Should().Contain("0400", "it is left as it was");
    }

    [Fact]
    public void Json_has_every_rule_with_its_verdict()
    {
        using Served served = new(new Everything());

        using JsonDocument json = JsonDocument.Parse(served.Run("check", "--json").Out);

        JsonElement summary = json.RootElement.GetProperty("summary");
        JsonElement[] rules = [.. json.RootElement.GetProperty("rules").EnumerateArray()];
        summary.GetProperty("passed").GetInt32().Should().Be(rules.Count(rule => rule.GetProperty("verdict").ValueEquals("Passed"))).And.BeGreaterThan(90);
        summary.GetProperty("failed").GetInt32().Should().Be(0);
        summary.GetProperty("notChecked").GetInt32().Should().Be(0);
        JsonElement bars = rules.Single(rule => rule.GetProperty("name").ValueEquals("bar-sizing"));
        bars.GetProperty("topic").GetString().Should().Be("Configuration space");
        bars.GetProperty("heading").GetString().Should().StartWith("PCI Local Bus");
        bars.GetProperty("text").GetString().Should().NotBeEmpty();
        bars.GetProperty("verdict").GetString().Should().Be("Passed");
        bars.GetProperty("why").ValueKind.Should().Be(JsonValueKind.Null);
    }

    [Fact]
    public void The_list_needs_no_server_and_its_names_are_unique()
    {
        ToolRun run = ToolRun.Of("check", "--list");

        run.ExitCode.Should().Be(0);
        string[] names = [.. run.Out.Split('\n').Where(line => line.StartsWith("  ", StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0])];
        names.Should().OnlyHaveUniqueItems().And.HaveCountGreaterThan(100);
    }

    [Fact]
    public void Only_the_rules_that_are_named_are_checked()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("check", "--rule", "info", "--rule", "no-reply");

        run.Out.Should().Be("Messages\n  ok   no-reply                     A command with No_reply gets no reply.\n" +
            "Device\n  ok   info                         The reply has 16 bytes, and argsz is 16.\n2 passed, 0 failed, 0 warnings, 0 not served\n");
    }

    [Theory]
    [InlineData("check")]
    [InlineData("check", "/nowhere", "--rule", "no-such-rule")]
    public void Invalid_arguments_are_exit_code_2(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain("--list");
    }

    [Fact]
    public void A_missing_socket_is_one_clear_line()
    {
        ToolRun run = ToolRun.Of("check", "/nowhere/at/all.sock");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: Cannot connect to '/nowhere/at/all.sock': no such file");
    }

    private static void Passes(PciDevice device)
    {
        using Served served = new(device);

        ToolRun run = served.Run("check", "--server-timeout", "60");

        run.Out.Should().NotContain("FAIL").And.NotContain("warn ").And.Contain(" 0 failed, 0 warnings");
        run.Error.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
    }
}
