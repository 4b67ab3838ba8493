namespace VfioUser.Tool.Tests;

public class UsageTests
{
    [Theory]
    [InlineData("There is no command 'frob'. See vfio-user --help.", "frob")]
    [InlineData("There is no command 'inf'; did you mean info? See vfio-user --help.", "inf", "x")]
    [InlineData("vfio-user info has no option --jsno; did you mean --json? See vfio-user info --help.", "info", "--jsno", "/nowhere")]
    [InlineData("vfio-user info has no option --jsno; did you mean --json? See vfio-user info --help.", "info", "/nowhere", "--jsno")]
    [InlineData("vfio-user info has no option --jsno; did you mean --json? See vfio-user info --help.", "info", "--jsno")]
    [InlineData("vfio-user watch has no option --tmeout; did you mean --timeout? See vfio-user watch --help.", "watch", "/nowhere", "bar0", "--tmeout=4")]
    [InlineData("vfio-user has no option --frobnicate. See vfio-user --help.", "--frobnicate")]
    [InlineData("'three' is one argument too many. See vfio-user info --help.", "info", "/nowhere", "three")]
    [InlineData("vfio-user completion needs SHELL. See vfio-user completion --help.", "completion")]
    [InlineData("vfio-user read needs REGION. See vfio-user read --help.", "read", "/nowhere")]
    public void An_unknown_word_is_named_with_the_nearest_one(string message, params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Be($"vfio-user: {message}\n");
        run.Out.Should().BeEmpty();
    }

    [Theory]
    [InlineData("info")]
    [InlineData("read")]
    [InlineData("serve")]
    public void The_help_of_a_command_has_the_tools_own_name(string command)
    {
        ToolRun run = ToolRun.Of(command, "--help");

        run.ExitCode.Should().Be(0);
        run.Out.Should().Contain($"vfio-user {command} ").And.NotContain("VfioUser.Tool");
    }

    [Fact]
    public void No_command_at_all_is_a_usage_error()
    {
        ToolRun run = ToolRun.Of();

        run.ExitCode.Should().Be(2);
        run.Error.Should().StartWith("vfio-user: ").And.EndWith("See vfio-user --help.\n");
    }

    [Fact]
    public void Version_and_help_are_options_of_the_tool()
    {
        ToolRun.Of("--version").Out.Should().MatchRegex(@"^\d+\.\d+\.\d+");
        ToolRun.Of("--help").Out.Should().Contain("completion").And.NotContain("complete ");
    }

    [Fact]
    public void A_folder_is_told_from_a_socket()
    {
        ToolRun run = ToolRun.Of("info", Path.GetTempPath());

        run.ExitCode.Should().Be(1);
        run.Error.Should().EndWith("it is a folder, not a socket.\n");
    }
}
