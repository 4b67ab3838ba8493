using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Nvme.Tests.Nbd;

/// <summary>A real NBD server in a process of its own: it can be killed, and started again.</summary>
/// <remarks>A shell starts it, and has nothing else to do. nbdkit 1.32 of Debian asks for SIGTERM when its parent ends, with any
/// options, and to Linux that is the thread that has started it: one of .NET's pool, which may end at any time.</remarks>
internal sealed class NbdServerProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _shell;
    private readonly int _server;
    private bool _isEnded;

    private NbdServerProcess(Process shell, int server) => (_shell, _server) = (shell, server);

    /// <param name="program">Takes a socket's path where its arguments say SOCKET.</param>
    /// <param name="arguments">More.</param>
    /// <param name="socket">The path.</param>
    public static NbdServerProcess Start(string program, string arguments, string socket)
    {
        File.Delete(socket);
        string command = $"{program} {arguments.Replace("SOCKET", socket, StringComparison.Ordinal)} >/dev/null & echo $!; wait";
        Process shell = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        return new NbdServerProcess(shell, int.Parse(shell.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture));
    }

    /// <summary>Connects to it when it has come up.</summary>
    public async Task<NbdDisk> ConnectAsync(string address, NbdDiskOptions? options = null)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return await NbdDisk.ConnectAsync(address, options);
            }
            catch (IOException) when (waited.Elapsed < Limit && !_shell.HasExited)
            {
                await Task.Yield();
            }
        }
    }

    /// <summary>Asks it to end.</summary>
    public void Stop() => Signal("TERM");

    /// <summary>Kills it. May be called again.</summary>
    public void Dispose()
    {
        if (_isEnded)
            return;
        _isEnded = true;
        if (!_shell.HasExited)
            Signal("KILL");
        _shell.WaitForExit();
        _shell.Dispose();
    }

    // a server that has just ended is not an error
    private void Signal(string signal)
    {
        using Process kill = Process.Start(new ProcessStartInfo("kill", [$"-{signal}", _server.ToString(CultureInfo.InvariantCulture)])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        kill.WaitForExit();
    }
}
