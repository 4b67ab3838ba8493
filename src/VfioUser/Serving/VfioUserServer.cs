using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves a device to one client after another.</summary>
/// <remarks>
/// Any thread. A run has a Command thread, which serves one session after another and runs the device's code; a thread that runs
/// posted actions and timers while the first one sleeps, once there are any; and a thread that refuses other clients while the device
/// is in use. A session with a twin socket has a thread that receives replies to DMA messages.
/// Dispose stops serving and removes the socket file. Spec: "Connection Initiation", "Socket Disconnection Behavior".
/// </remarks>
public sealed partial class VfioUserServer : IDisposable, IAsyncDisposable
{
    /// <summary>Name of the meter of servers; <c>docs/observability.md</c> lists its instruments.</summary>
    public const string MeterName = "VfioUser";

    private readonly IClientSource _clients;
    private readonly VfioUserServerOptions _options;
    private readonly ServerLog _log;
    private readonly InspectedServer? _inspected;
    private readonly InspectionListener? _inspection;
    private readonly CancellationTokenSource _disposed = new();
    private int _running;
    private Task _run = Task.CompletedTask; // the last one, with a thread of its own

    private VfioUserServer(IClientSource clients, VfioUserServerOptions options)
    {
        _clients = clients;
        _options = options;
        string name = options.Name ?? clients.Address;
        ServerMetrics metrics = new(ServerInstruments.Of(options.MeterFactory), name, keepsTotals: options.InspectionPath is not null);
        RefusalHistory? history = options.InspectionPath is null ? null : new RefusalHistory();
        _log = new ServerLog(options.Logger, metrics) { History = history };
        try
        {
            if (options.InspectionPath is { } path)
            {
                _inspected = new InspectedServer(name, clients.Address, metrics, history!);
                _inspection = InspectionListener.Start(path, options, _inspected, _log);
            }
        }
        catch
        {
            clients.Dispose();
            throw;
        }
        _log.Listening(clients.Address);
    }

    /// <summary>Where it listens: a path, or <c>@name</c> in the abstract namespace; a description for a connected socket.</summary>
    public string Address => _clients.Address;

    /// <summary>Listens on a path of the file system.</summary>
    /// <param name="path">At most 107 bytes. The socket file of a server that has exited is replaced.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="IOException">A server is listening on the path, it is not a socket, or the system failed.</exception>
    public static VfioUserServer Bind(string path, VfioUserServerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new VfioUserServerOptions();
        return new VfioUserServer(SocketListener.OnPath(path, options.SocketMode), options);
    }

    /// <summary>Listens on a name in Linux's abstract namespace, which has no file mode: any process may
    /// connect, unless <see cref="VfioUserServerOptions.AcceptPeer"/> refuses it.</summary>
    /// <param name="name">Without the leading NUL; at most 107 bytes.</param>
    /// <param name="options">Null for the defaults.</param>
    public static VfioUserServer BindAbstract(string name, VfioUserServerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new VfioUserServer(SocketListener.OnAbstractName(name), options ?? new VfioUserServerOptions());
    }

    /// <summary>Accepts clients on a socket that is listening already, such as one from systemd.</summary>
    /// <param name="socket">AF_UNIX, stream, bound and listening. Taken over: closed with the server, but not shut down, and
    /// its file is not removed, so that its creator can pass it on again. Becomes close-on-exec and non-blocking.</param>
    /// <param name="options">Null for the defaults; <see cref="VfioUserServerOptions.SocketMode"/> is ignored.</param>
    /// <exception cref="ArgumentException">It is not such a socket. It is not taken over.</exception>
    public static VfioUserServer FromListening(SafeSocketHandle socket, VfioUserServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return new VfioUserServer(new InheritedListener(socket), options ?? new VfioUserServerOptions());
    }

    /// <summary>Serves the one client of a connected socket; the run ends when it disconnects.</summary>
    /// <param name="socket">AF_UNIX, stream, blocking; taken over.</param>
    /// <param name="options">Null for the defaults.</param>
    public static VfioUserServer FromConnected(SafeSocketHandle socket, VfioUserServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return new VfioUserServer(new ConnectedClient(socket), options ?? new VfioUserServerOptions());
    }

    /// <summary>Serves a device until cancelled or disposed. Blocks.</summary>
    /// <exception cref="InvalidOperationException">The device is served elsewhere, or this server is running already.</exception>
    /// <exception cref="IOException">The listening socket failed.</exception>
    public void Run(PciDevice device, CancellationToken cancellation = default) =>
        RunAsync(device, cancellation).GetAwaiter().GetResult();

    /// <summary>Serves a device until cancelled or disposed, with options for this run. Blocks.</summary>
    /// <param name="device">Not served elsewhere.</param>
    /// <param name="options">In place of the server's, for limits that follow from the device. Socket mode, logger, name and meters are
    /// the server's.</param>
    /// <param name="cancellation">Stops serving.</param>
    /// <inheritdoc cref="Run(PciDevice, CancellationToken)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public void Run(PciDevice device, VfioUserServerOptions options, CancellationToken cancellation = default) =>
        RunAsync(device, options, cancellation).GetAwaiter().GetResult();

    /// <summary>Serves a device until cancelled or disposed.</summary>
    /// <returns>Completes when the last session has ended and the device is free; faulted if the listening socket failed.</returns>
    /// <inheritdoc cref="Run(PciDevice, CancellationToken)"/>
    public Task RunAsync(PciDevice device, CancellationToken cancellation = default) => RunAsync(device, new ServingStatus(), cancellation);

    /// <summary>Serves a device until cancelled or disposed, with options for this run.</summary>
    /// <returns>Completes when the last session has ended and the device is free; faulted if the listening socket failed.</returns>
    /// <inheritdoc cref="Run(PciDevice, VfioUserServerOptions, CancellationToken)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public Task RunAsync(PciDevice device, VfioUserServerOptions options, CancellationToken cancellation = default) =>
        RunAsync(device, new ServingStatus(), cancellation, options ?? throw new ArgumentNullException(nameof(options)));

    /// <summary>Serves a device on the caller's threads, in calls of <see cref="DevicePoller.Process"/>.</summary>
    /// <param name="device">Not served elsewhere.</param>
    /// <param name="cancellation">Stops serving, as disposing the server does: the next call of Process reports it.</param>
    /// <returns>The poller; when it is disposed, the server can serve again.</returns>
    /// <exception cref="InvalidOperationException">The device is served elsewhere, or this server is running already.</exception>
    /// <exception cref="IOException">The system has no free descriptors.</exception>
    public DevicePoller CreatePoller(PciDevice device, CancellationToken cancellation = default) =>
        CreatePoller(device, new ServingStatus(), cancellation);

    /// <summary>Serves a device on the caller's threads, with options for this run.</summary>
    /// <param name="device">Not served elsewhere.</param>
    /// <param name="options">As in <see cref="Run(PciDevice, VfioUserServerOptions, CancellationToken)"/>.</param>
    /// <param name="cancellation">Stops serving, as disposing the server does: the next call of Process reports it.</param>
    /// <inheritdoc cref="CreatePoller(PciDevice, CancellationToken)" path="/*[not(self::param)]"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public DevicePoller CreatePoller(PciDevice device, VfioUserServerOptions options, CancellationToken cancellation = default) =>
        CreatePoller(device, new ServingStatus(), cancellation, options ?? throw new ArgumentNullException(nameof(options)));

    /// <summary>Stops listening, and ends the session. The task of a run completes soon after.</summary>
    public void Dispose()
    {
        _disposed.Cancel();
        _inspection?.Dispose();
        _clients.Dispose();
    }

    /// <summary>As <see cref="Dispose"/>, and completes when the last session has ended and the device is free.</summary>
    /// <remarks>Not to be waited for on the Command thread. It does not wait for a <see cref="DevicePoller"/>, which is its owner's to
    /// dispose. A run that failed has thrown from its own task.</remarks>
    public async ValueTask DisposeAsync()
    {
        Dispose();
        await Volatile.Read(ref _run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
