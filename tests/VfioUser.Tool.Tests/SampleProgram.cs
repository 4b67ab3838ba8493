using System.Diagnostics;

namespace VfioUser.Tool.Tests;

/// <summary>How a program beside the tests is started: with the frameworks of the tests, since what these bring is not beside it.</summary>
internal static class SampleProgram
{
    /// <param name="assembly">The program's file name.</param>
    /// <param name="args">Its arguments.</param>
    public static ProcessStartInfo Of(string assembly, params IEnumerable<string> args)
    {
        string tests = Path.ChangeExtension(typeof(SampleProgram).Assembly.Location, null);
        return new ProcessStartInfo("dotnet",
            ["exec", "--runtimeconfig", tests + ".runtimeconfig.json", "--depsfile", tests + ".deps.json", Path.Combine(AppContext.BaseDirectory, assembly), .. args])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
    }
}
