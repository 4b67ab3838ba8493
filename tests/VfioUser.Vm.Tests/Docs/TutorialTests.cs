using System.Text.RegularExpressions;
using FluentAssertions;
using VfioUser.Docs.Tests.Tutorial;
using VfioUser.Tool;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Docs;

/// <summary>Types what <c>docs/tutorial.md</c> says: its script of the shell, and its guest.</summary>
public sealed partial class TutorialTests : IDisposable
{
    private static readonly string Page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", "tutorial.md"));

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tutorial-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_shells_script_drives_the_card()
    {
        await using ServedDevice device = new(new ChecksumCard(), new VfioUserServerOptions { RegisterMap = true }); // as the template does
        string script = Path.Combine(_folder.FullName, "script.vfu");
        await File.WriteAllTextAsync(script, Block("The device and the tool", "text"));

        Run("shell", device.SocketPath, script).Should().BeEmpty("each line succeeded");
    }

    [VmFact]
    public async Task The_guests_script_has_the_card_do_a_job()
    {
        await using ServedDevice device = new(new ChecksumCard());
        string script = Path.Combine(_folder.FullName, "ring.sh");
        await File.WriteAllTextAsync(script, Block("In Linux", "sh"));
        string[] console = Block("In Linux", "console").TrimEnd().Split('\n');
        string append = Append().Match(console[0]).Groups["arguments"].Value;

        string printed = Run("vm", device.SocketPath, "--append", append, "--run", script, "--module", "nvme");

        printed.TrimEnd().Should().Be(console[1]);
    }

    private static string Block(string chapter, string language)
    {
        string text = Page.Split("\n## ").Single(part => part.Split('\n')[0].EndsWith(chapter, StringComparison.Ordinal));
        return text.Split($"```{language}\n")[1].Split("```")[0];
    }

    private static string Run(params string[] args)
    {
        using StringWriter output = new() { NewLine = "\n" };
        using StringWriter error = new() { NewLine = "\n" };
        VfioUserTool.Run(args, new Terminal(output, error, Colors: false, CancellationToken.None)).Should().Be(0, "{0}{1}", output, error);
        return output.ToString();
    }

    [GeneratedRegex("--append '(?<arguments>[^']*)'", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Append();
}
