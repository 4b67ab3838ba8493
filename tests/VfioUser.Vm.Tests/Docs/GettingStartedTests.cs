using System.Text.RegularExpressions;
using FluentAssertions;
using My_Device1;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Docs;

/// <summary>Types what <c>docs/getting-started.md</c> says, in a guest that has the template's device and no driver for it.</summary>
public sealed partial class GettingStartedTests
{
    [VmFact]
    public async Task The_guides_commands_find_the_device_and_have_it_add_up_firmware()
    {
        await using ServedDevice device = new(new Card());
        await using VirtualMachine machine = await VirtualMachine.Start(new Initramfs(modules: [], programs: []), device.SocketPath);

        string[] printed = (await machine.Output(string.Join("; ", CommandsOfTheGuide()))).Split('\n');

        printed.Should().HaveCount(4);
        printed[0].Should().MatchRegex("^/sys/bus/pci/devices/0000:00:0[0-9]\\.0/device$");
        printed[1].Should().MatchRegex("^0x0000[0-9A-F]{4}$").And.NotBe("0x00000000");
        printed[2].Should().Be("0x00000000", "there was no fault");
        printed[3].Should().Be(printed[1], "the device has added up what the guest sees at the same address");
    }

    // The blocks of the chapter, as one line for one shell.
    private static string[] CommandsOfTheGuide()
    {
        string guide = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", "getting-started.md"));
        string chapter = guide.Split("\n## ").Single(text => text.StartsWith("In the guest\n", StringComparison.Ordinal));
        return [.. Block().Matches(chapter).SelectMany(match => match.Groups["commands"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries))];
    }

    [GeneratedRegex("```sh\n(?<commands>.*?)```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Block();
}
