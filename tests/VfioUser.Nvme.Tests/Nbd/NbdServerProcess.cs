using System.Diagnostics;

namespace VfioUser.Nvme.Tests.Nbd;

/// <summary>A real NBD server in a process of its own: it can be killed, and started again.</summary>
internal sealed class NbdServerProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    private NbdServerProcess(Process process) => _process = process;

    /// <param name="program">Takes a socket's path where its arguments say SOCKET.</param>
    /// <param name="arguments">More.</param>
    /// <param name="socket">The path.</param>
    public static NbdServerProcess Start(string program, string arguments, string socket)
    {
        File.Delete(socket);
        return new NbdServerProcess(Process.Start(new ProcessStartInfo(program, arguments.Replace("SOCKET", socket, StringComparison.Ordinal)))!);
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
            catch (IOException) when (waited.Elapsed < Limit && !_process.HasExited)
            {
                await Task.Yield();
            }
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
