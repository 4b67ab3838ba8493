using System.Diagnostics;

namespace VfioUser.Tests;

/// <summary>A sample that serves a device, in a process of its own: it can be killed.</summary>
internal sealed class SampleProcess : IDisposable
{
    private readonly Process _process;

    private SampleProcess(Process process) => _process = process;

    /// <summary>Starts it and returns when it can be connected to.</summary>
    /// <param name="sample">Name of its assembly.</param>
    /// <param name="arguments">Its command line.</param>
    public static async Task<SampleProcess> Start(string sample, params IEnumerable<string> arguments)
    {
        // with the tests' frameworks: what these bring is not beside the sample here
        string tests = Path.ChangeExtension(typeof(SampleProcess).Assembly.Location, null);
        var start = new ProcessStartInfo("dotnet",
            [
                "exec", "--runtimeconfig", tests + ".runtimeconfig.json", "--depsfile", tests + ".deps.json",
                Path.Combine(AppContext.BaseDirectory, sample + ".dll"), .. arguments,
            ])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        var server = new SampleProcess(Process.Start(start) ?? throw new InvalidOperationException($"{sample} did not start"));
        // its last line once it listens
        string? line;
        do
        {
            line = await server._process.StandardOutput.ReadLineAsync();
        }
        while (line is not (null or "Ctrl-C ends it."));
        return line is not null ? server : throw new InvalidOperationException($"{sample} has ended");
    }

    /// <summary>Ends it with SIGKILL.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }
}
