using System.Security.Cryptography;
using System.Text;
using VfioUser;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace Nvme.Cli;

/// <summary>What serves the disks: a controller, or several of a subsystem, on a socket each.</summary>
internal sealed class Controllers : IDisposable
{
    private readonly NvmeSubsystem? _subsystem;
    private readonly List<NvmeController> _controllers = [];
    private readonly List<VfioUserServer> _servers = [];

    public Controllers(IReadOnlyList<Disk> disks, ServeOptions options)
    {
        if (options.Sockets.Count == 1 && options.Reservations is null)
        {
            _controllers.Add(new NvmeController(disks, options.Controller));
            return;
        }
        if (options.Reservations is { } folder)
            Directory.CreateDirectory(folder);
        _subsystem = new NvmeSubsystem([.. disks.Select(disk => new NvmeNamespace(disk) { ReservationPath = PathOf(options.Reservations, disk) })],
            new NvmeSubsystemOptions { SerialNumber = options.Controller.SerialNumber, BlockSize = options.Controller.BlockSize });
        foreach (string _ in options.Sockets)
            _controllers.Add(new NvmeController(_subsystem, options.Controller));
    }

    public IReadOnlyList<VfioUserServer> Servers => _servers;

    /// <summary>The controller; null if there are several.</summary>
    public NvmeController? Only => _controllers.Count == 1 ? _controllers[0] : null;

    /// <summary>Makes the sockets.</summary>
    public void Bind(IReadOnlyList<string> sockets, VfioUserServerOptions options)
    {
        foreach (string socket in sockets)
            _servers.Add(VfioUserServer.Bind(socket, options));
    }

    /// <summary>Serves until it is stopped. If one server ends, all do.</summary>
    public async Task RunAsync(CancellationTokenSource stop)
    {
        Task[] serving = [.. _servers.Zip(_controllers, (server, controller) => server.RunAsync(controller, stop.Token))];
        await Task.WhenAny(serving);
        await stop.CancelAsync();
        await Task.WhenAll(serving);
    }

    public void Dispose()
    {
        foreach (VfioUserServer server in _servers)
            server.Dispose();
        foreach (NvmeController controller in _controllers)
            controller.Dispose();
        _subsystem?.Dispose();
    }

    // whatever the order of the disks is
    private static string? PathOf(string? folder, Disk disk) => folder is null ? null
        : Path.Combine(folder, Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(disk.Identity)), 0, 8));
}
