using System.Diagnostics;

namespace VfioUser.Tool.Tests;

public class CompletionTests
{
    [Theory]
    [InlineData("wat", "watch")]
    [InlineData("info --js", "--json")]
    [InlineData("completion ba", "bash")]
    public void A_word_is_completed_by_what_the_tool_knows(string line, string completed) =>
        ToolRun.Of(["complete", "--", .. line.Split(' ')]).Out.Should().Be(completed + "\n");

    [Fact]
    public void An_empty_word_is_offered_the_commands()
    {
        string[] offered = ToolRun.Of("complete", "--", "").Out.Split('\n');

        offered.Should().Contain(["info", "check", "completion"]).And.NotContain("complete");
    }

    [Theory]
    [InlineData("bash", "complete -o filenames")]
    [InlineData("zsh", "compdef")]
    [InlineData("fish", "complete -c vfio-user")]
    public void Each_shell_has_a_script(string shell, string content) => ToolRun.Of("completion", shell).Out.Should().Contain(content);

    [Fact]
    public void Bash_completes_a_command_line_with_the_script()
    {
        string tool = Path.Combine(AppContext.BaseDirectory, "VfioUser.Tool.dll");
        string script = $$"""
            vfio-user() { dotnet exec '{{tool}}' "$@"; }
            {{ToolRun.Of("completion", "bash").Out}}
            COMP_WORDS=(vfio-user trace --rec) COMP_CWORD=2
            _vfio_user
            printf '%s\n' "${COMPREPLY[@]}"
            """;
        using Process bash = Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardOutput = true, UseShellExecute = false })!;

        bash.StandardOutput.ReadToEnd().Should().Be("--record\n");
    }
}
