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

    [GeneratedRegex("^[0-9a-f]{2}:( [0-9a-f]{2}){16}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Dump();
}
