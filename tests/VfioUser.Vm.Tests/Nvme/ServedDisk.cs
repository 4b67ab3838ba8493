using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Tests;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>An NVMe controller with one disk, served by this process on a socket of its own.</summary>
internal sealed class ServedDisk : IAsyncDisposable
{
    private readonly Disk _disk;
    private readonly NvmeController _controller;
    private readonly ServedDevice _served;
    private readonly EventLog _log;

    /// <param name="disk">Becomes the server's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="msiX">Whether it has MSI-X, or else the interrupt pin alone.</param>
    /// <param name="server">Null for the defaults.</param>
    public ServedDisk(Disk disk, NvmeControllerOptions? options = null, bool msiX = true, VfioUserServerOptions? server = null)
    {
        _disk = disk;
        _controller = new NvmeController([disk], options);
        if (!msiX)
        {
            // The guest sees a null capability in its place.
            _controller.Config.AddReadHandler(_controller.Config.MsiX!.Offset, 1, (_, id) => id.Clear());
        }

        server ??= new VfioUserServerOptions();
        _log = new EventLog(server.Logger, first: 220, last: 229);
        _served = new ServedDevice(_controller, server with { Logger = _log });
    }

    public string SocketPath => _served.SocketPath;

    /// <summary>Why the controller or a disk failed, as often as they did.</summary>
    public IReadOnlyCollection<string> Failures => _log.Lines;

    public NvmeController Controller => _controller;

    public NvmeStatistics Statistics => _controller.Statistics;

    public async ValueTask DisposeAsync()
    {
        await _served.DisposeAsync();
        _controller.Dispose();
        _disk.Dispose();
    }
}
