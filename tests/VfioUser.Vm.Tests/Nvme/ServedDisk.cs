using Nvme.Backends;
using Nvme.Controller;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>An NVMe controller with one disk, served by this process on a socket of its own.</summary>
internal sealed class ServedDisk : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");
    private readonly CancellationTokenSource _stop = new();
    private readonly Backend _disk;
    private readonly NvmeController _controller;
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    /// <param name="disk">Becomes the server's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="msiX">Whether it has MSI-X, or else the interrupt pin alone.</param>
    public ServedDisk(Backend disk, NvmeOptions? options = null, bool msiX = true)
    {
        _disk = disk;
        _controller = new NvmeController([disk], (options ?? new NvmeOptions()) with { Log = Failures.Enqueue });
        if (!msiX)
        {
            // The guest sees a null capability in its place.
            _controller.Config.OnRead(_controller.Config.MsiX!.Offset, 1, (_, id) => id.Clear());
        }

        SocketPath = Path.Combine(_folder.FullName, "nvme.sock");
        _server = VfioUserServer.Bind(SocketPath);
        _serving = _server.RunAsync(_controller, _stop.Token);
    }

    public string SocketPath { get; }

    /// <summary>Why the controller failed, as often as it did.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Failures { get; } = new();

    public Statistics Statistics => _controller.Statistics;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _serving.WaitAsync(Timeout);
        }
        catch (OperationCanceledException) when (_serving.IsCanceled)
        {
            // How serving ends when it is told to.
        }

        _server.Dispose();
        _controller.Dispose();
        _disk.Dispose();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }
}
