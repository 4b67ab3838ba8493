namespace VfioUser.Tool;

/// <summary>Output of a command, and the tokens that end it. One thread.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Errors, a line each.</param>
/// <param name="Colors">Whether results may be coloured.</param>
/// <param name="Stop">Cancelled by Ctrl-C.</param>
internal sealed record Terminal(TextWriter Out, TextWriter Error, bool Colors, CancellationToken Stop)
{
    /// <summary>Cancelled when the reader of the results has ended, such as <c>head</c>.</summary>
    public CancellationToken OutputClosed { get; init; }

    /// <summary>Standard input; null if it is a terminal.</summary>
    public TextReader? Input { get; init; } = TextReader.Null;

    /// <summary>Whether results go to a terminal, where a table can be refreshed.</summary>
    public bool IsInteractive { get; init; }

    /// <summary>What Ctrl-C ends in place of the tool: a command at a prompt.</summary>
    public ForegroundCommand Foreground { get; } = new();

    /// <summary>For a command that runs until it is ended: cancelled by Ctrl-C, and when the reader of the results has ended.</summary>
    public CancellationTokenSource UntilEnded() => CancellationTokenSource.CreateLinkedTokenSource(Stop, OutputClosed);

    /// <summary>Whether standard output is a terminal, and neither NO_COLOR nor TERM requests plain text.</summary>
    public static bool WantsColors() => !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb");

    public string Bold(string text) => Colored(text, 1);

    public string Red(string text) => Colored(text, 31);

    public string Green(string text) => Colored(text, 32);

    public string Gray(string text) => Colored(text, 90);

    private string Colored(string text, int code) => Colors ? $"\e[{code}m{text}\e[0m" : text;
}
