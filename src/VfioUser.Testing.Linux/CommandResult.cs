namespace VfioUser.Testing.Linux;

/// <summary>How a command ended and what it printed. Immutable.</summary>
/// <param name="ExitCode">0 to 255.</param>
/// <param name="Output">Standard output and standard error, without the last line break.</param>
public sealed record CommandResult(int ExitCode, string Output)
{
    /// <summary>The output of a command that must not fail.</summary>
    /// <param name="command">For the message.</param>
    /// <exception cref="InvalidOperationException">It failed; the message has its output.</exception>
    internal string OutputOrThrow(string command) => ExitCode == 0
        ? Output
        : throw new InvalidOperationException($"'{command}' ended with {ExitCode}: {Output}");
}
