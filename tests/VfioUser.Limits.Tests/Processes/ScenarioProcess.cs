using System.Diagnostics;
using System.Text;

namespace VfioUser.Limits.Tests;

/// <summary>A process that goes through a scenario and ends.</summary>
internal static class ScenarioProcess
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    public static void ShouldPass(string scenario)
    {
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { "exec", typeof(Program).Assembly.Location, scenario },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        StringBuilder said = new();
        using Process process = new() { StartInfo = start };
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        bool ended = process.WaitForExit(Bound);
        if (!ended)
            process.Kill();
        process.WaitForExit();

        lock (said)
        {
            ended.Should().BeTrue("{0} should have ended within {1}; it said: {2}", scenario, Bound, said);
            process.ExitCode.Should().Be(0, "{0} should pass; it said: {1}", scenario, said);
        }

        void Hear(string? line)
        {
            lock (said)
                said.AppendLine(line);
        }
    }
}
