using System.Diagnostics;
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

    [Fact]
    public void Lspci_takes_it_where_there_is_one()
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/sbin"];
        string? lspci = folders.Select(folder => Path.Combine(folder, "lspci")).FirstOrDefault(File.Exists);
        if (lspci is null)
            return;
        using Served served = new(new Gpio.GpioCard());
        File.WriteAllText(served.PathOf("dump"), served.Run("config").Out);

        using Process process = Process.Start(new ProcessStartInfo(lspci, ["-n", "-F", served.PathOf("dump")]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string shown = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        shown.Should().Contain("494f:0dc8");
    }

    [GeneratedRegex("^[0-9a-f]{2}:( [0-9a-f]{2}){16}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Dump();
}
