using System.Diagnostics;

namespace VfioUser.Packages.Tests;

/// <summary>Runs programs to their end.</summary>
internal static class Dotnet
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(10);

    public static string Host { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>Runs a command of the SDK, as from a shell of its own.</summary>
    /// <returns>What it said.</returns>
    public static async Task<string> Run(string folder, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        (int exitCode, string said) = await TryRun(Host, folder, environment, args);
        exitCode.Should().Be(0, $"dotnet {string.Join(' ', args)} said:\n{said}");
        return said;
    }

    public static async Task<(int ExitCode, string Said)> TryRun(
        string program, string folder, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        using Process process = Start(program, folder, environment, args);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        using CancellationTokenSource timeout = new(Timeout);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', args)} does not end: {await output}{await error}", e);
        }
        return (process.ExitCode, await output + await error);
    }

    public static Process Start(string program, string folder, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        ProcessStartInfo start = new(program, args)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // what the SDK that runs this test says to programs of its own confuses another one
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
