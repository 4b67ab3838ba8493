namespace VfioUser.Vm.Tests.Harness;

/// <summary>How a command ended and what it printed, without the last line break.</summary>
internal sealed record CommandResult(int ExitCode, string Output)
{
    /// <summary>The output of a command that must not fail.</summary>
    public string OutputOrThrow(string command) => ExitCode == 0
        ? Output
        : throw new InvalidOperationException($"'{command}' ended with {ExitCode}: {Output}");
}
