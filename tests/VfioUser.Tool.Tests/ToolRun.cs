namespace VfioUser.Tool.Tests;

/// <summary>What a run of the tool left behind.</summary>
internal sealed record ToolRun(int ExitCode, string Out, string Error)
{
    public static ToolRun Of(params string[] args) => Of(CancellationToken.None, args);

    public static ToolRun Of(CancellationToken stop, params string[] args)
    {
        using StringWriter output = new() { NewLine = "\n" };
        using StringWriter error = new() { NewLine = "\n" };
        int exitCode = VfioUserTool.Run(args, new Terminal(output, error, Colors: false, stop));
        return new ToolRun(exitCode, output.ToString(), error.ToString());
    }
}
