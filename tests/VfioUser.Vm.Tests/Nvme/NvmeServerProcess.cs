using System.Diagnostics;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>The sample's own server in a process of its own: it can be killed.</summary>
internal sealed class NvmeServerProcess : IDisposable
{
    private readonly Process _process;

    private NvmeServerProcess(Process process) => _process = process;

    /// <summary>Starts it and returns when it can be connected to.</summary>
    /// <param name="socketPath">Where it listens.</param>
    /// <param name="arguments">More for its command line.</param>
    public static async Task<NvmeServerProcess> Start(string socketPath, params IEnumerable<string> arguments)
    {
        // with the tests' frameworks: what these bring is not beside the sample here
        string tests = Path.ChangeExtension(typeof(NvmeServerProcess).Assembly.Location, null);
        var start = new ProcessStartInfo("dotnet",
            [
                "exec", "--runtimeconfig", tests + ".runtimeconfig.json", "--depsfile", tests + ".deps.json",
                Path.Combine(AppContext.BaseDirectory, "nvme.dll"), "serve", socketPath, .. arguments,
            ])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        var server = new NvmeServerProcess(Process.Start(start) ?? throw new InvalidOperationException("nvme did not start"));
        // its last line once it listens
        string? line;
        do
        {
            line = await server._process.StandardOutput.ReadLineAsync();
        }
        while (line is not (null or "Ctrl-C ends it."));
        return line is not null ? server : throw new InvalidOperationException("nvme has ended");
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
