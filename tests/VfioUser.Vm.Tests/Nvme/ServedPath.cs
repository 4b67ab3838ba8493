using VfioUser.Nvme;
using VfioUser.Tests;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A controller of the subsystem, served on a socket of its own.</summary>
internal sealed class ServedPath : IAsyncDisposable
{
    private readonly ServedDevice _served;
    private readonly EventLog _log = new(null, first: 220, last: 229);

    public ServedPath(NvmeSubsystem subsystem)
    {
        Controller = new NvmeController(subsystem);
        _served = new ServedDevice(Controller, new VfioUserServerOptions { Logger = _log });
    }

    public NvmeController Controller { get; }

    public string SocketPath => _served.SocketPath;

    public long Commands => Controller.Statistics.Reads + Controller.Statistics.Writes;

    public IReadOnlyCollection<string> Failures => _log.Lines;

    public async ValueTask DisposeAsync()
    {
        await _served.DisposeAsync();
        Controller.Dispose();
    }
}
