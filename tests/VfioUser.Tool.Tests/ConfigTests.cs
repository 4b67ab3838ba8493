using System.Text.RegularExpressions;

namespace VfioUser.Tool.Tests;

public partial class ConfigTests
{
    [Fact]
    public void Configuration_space_is_a_slot_and_lines_of_sixteen_bytes()
    {
        using Served served = new(new Gpio.GpioCard());

        ToolRun run = served.Run("config");

        string[] lines = run.Out.Split('\n');
        lines[0].Should().StartWith("00:00.0 ");
        lines[1].Should().StartWith("00: 4f 49 c8 0d ");
        lines[16].Should().StartWith("f0: ");
        lines[1..17].Should().OnlyContain(line => Dump().IsMatch(line));
        lines[^2..].Should().OnlyContain(line => line.Length == 0, "an empty line ends a device");
    }

    [LspciFact]
    public async Task Lspci_takes_it_and_decodes_the_capabilities()
    {
        using Served served = new(new Everything());

        string shown = await Lspci.Run(served.Run("config").Out, "-nvv");

        shown.Should().StartWith("00:00.0 1200: 1234:5678").And.Contain("MSI-X: Enable- Count=4 Masked-");
    }

    [LspciFact]
    public async Task Lspci_knows_the_gpio_card_by_its_name()
    {
        using Served served = new(new Gpio.GpioCard());

        string shown = await Lspci.Run(served.Run("config").Out, "-vv");

        shown.Should().Contain("ACCES I/O Products, Inc. PCI-IDIO-16").And.Contain("Interrupt: pin A");
    }

    [GeneratedRegex("^[0-9a-f]{2}:( [0-9a-f]{2}){16}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Dump();
}
