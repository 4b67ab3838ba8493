using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>This program once more, pinned to cores, with a dialogue of lines.</summary>
internal sealed class Child : IDisposable
{
    private readonly Process _process;

    public Child(int core, params string[] arguments)
        : this(core.ToString(CultureInfo.InvariantCulture), arguments)
    {
    }

    /// <param name="cores">As taskset takes them.</param>
    /// <param name="arguments">Of this program.</param>
    public Child(string cores, string[] arguments)
    {
        ProcessStartInfo start = new("taskset")
        {
            ArgumentList = { "-c", cores, Environment.ProcessPath! },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
    }

    /// <summary>Processor time that the process has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public string Ask(string line)
    {
        _process.StandardInput.WriteLine(line);
        return Hear();
    }

    public string Hear() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"The process '{_process.Id}' has ended.");

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
