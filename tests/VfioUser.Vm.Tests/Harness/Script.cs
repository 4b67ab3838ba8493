using System.Diagnostics;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>The scripts of the folder <c>vm</c>, which lie beside the test assembly.</summary>
internal static class Script
{
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "vm", name);

    /// <summary>Runs a script to its end; what it prints comes back without the last line break.</summary>
    public static CommandResult Run(string name, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [PathOf(name), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException("bash did not start");

        // Both pipes at once: a script that fills one while the other is read would hang.
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        return process.ExitCode == 0
            ? new CommandResult(0, output.TrimEnd('\n'))
            : new CommandResult(process.ExitCode, (output + errors.GetAwaiter().GetResult()).TrimEnd('\n'));
    }
}
