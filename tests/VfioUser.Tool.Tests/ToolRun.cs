namespace VfioUser.Tool.Tests;

/// <summary>What a run of the tool left behind.</summary>
internal sealed record ToolRun(int ExitCode, string Out, string Error)
{
    public static ToolRun Of(params string[] args) => Of(CancellationToken.None, args);

    /// <summary>A run whose standard input has a text.</summary>
    public static ToolRun Reading(string input, params string[] args) => Run(args, new StringReader(input), CancellationToken.None);

    public static ToolRun Of(CancellationToken stop, params string[] args) => Run(args, TextReader.Null, stop);

    private static ToolRun Run(string[] args, TextReader input, CancellationToken stop)
    {
        using StringWriter output = new() { NewLine = "\n" };
        using StringWriter error = new() { NewLine = "\n" };
        int exitCode = VfioUserTool.Run(args, new Terminal(output, error, Colors: false, stop) { Input = input });
        return new ToolRun(exitCode, output.ToString(), error.ToString());
    }
}
