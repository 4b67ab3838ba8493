using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves a device to one client after another.</summary>
/// <remarks>
/// A run has a command thread, which serves one session after the other and runs the device's code, and one that answers those
/// who come meanwhile; a session with a twin socket has another one that completes the device's DMA. Dispose ends everything and removes the socket file. Any thread.
/// Spec: "Connection Initiation", "Socket Disconnection Behavior".
/// </remarks>
public sealed partial class VfioUserServer : IDisposable
{
    /// <summary>The meter that measures servers. What it measures stands in <c>docs/observability.md</c>.</summary>
    public const string MeterName = "VfioUser";

    private readonly IClientSource _clients;
    private readonly VfioUserServerOptions _options;
    private readonly ServerLog _log;
    private readonly CancellationTokenSource _disposed = new();
    private int _running;

    private VfioUserServer(IClientSource clients, VfioUserServerOptions options)
    {
        _clients = clients;
        _options = options;
        _log = new ServerLog(options.Logger, new ServerMetrics(ServerInstruments.Of(options.MeterFactory), options.Name ?? clients.Address));
        _log.Listening(clients.Address);
    }

    /// <summary>Where it listens: a path, <c>@name</c> for an abstract one, or a word for a connected descriptor.</summary>
    public string Address => _clients.Address;

    /// <summary>Listens on a path of the file system.</summary>
    /// <param name="path">At most 107 bytes. The file of a server that is gone is replaced.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="IOException">A server is alive there, something else than a socket is, or the system refused.</exception>
    public static VfioUserServer Bind(string path, VfioUserServerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new VfioUserServerOptions();
        return new VfioUserServer(SocketListener.OnPath(path, options.SocketMode), options);
    }

    /// <summary>Listens on a name in Linux's abstract namespace, which has no file and no mode: whoever knows it may
    /// connect, unless <see cref="VfioUserServerOptions.AcceptPeer"/> says no.</summary>
    /// <param name="name">Without the leading NUL; at most 107 bytes.</param>
    /// <param name="options">Null for the defaults.</param>
    public static VfioUserServer BindAbstract(string name, VfioUserServerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new VfioUserServer(SocketListener.OnAbstractName(name), options ?? new VfioUserServerOptions());
    }

    /// <summary>Listens on a socket that listens already, such as one that systemd passes on.</summary>
    /// <param name="socket">AF_UNIX, stream, bound and listening. Taken over: closed with the server, but never shut down, and
    /// its file is not removed, so whoever made it can pass it on again. Becomes close-on-exec and non-blocking.</param>
    /// <param name="options">Null for the defaults; <see cref="VfioUserServerOptions.SocketMode"/> is for who made the socket to say.</param>
    /// <exception cref="ArgumentException">It is something else. It stays the caller's.</exception>
    public static VfioUserServer FromListening(SafeSocketHandle socket, VfioUserServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return new VfioUserServer(new InheritedListener(socket), options ?? new VfioUserServerOptions());
    }

    /// <summary>Serves the one client at the other end of a connected socket; the server's run ends when it goes.</summary>
    /// <param name="socket">AF_UNIX, stream, blocking; taken over.</param>
    /// <param name="options">Null for the defaults.</param>
    public static VfioUserServer FromConnected(SafeSocketHandle socket, VfioUserServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return new VfioUserServer(new ConnectedClient(socket), options ?? new VfioUserServerOptions());
    }

    /// <summary>Serves a device until cancelled or disposed. Blocks.</summary>
    /// <exception cref="InvalidOperationException">The device is served elsewhere, or this server runs already.</exception>
    /// <exception cref="IOException">Listening failed.</exception>
    public void Run(PciDevice device, CancellationToken cancellation = default) =>
        RunAsync(device, cancellation).GetAwaiter().GetResult();

    /// <summary>Serves a device until cancelled or disposed.</summary>
    /// <returns>Ends when the last session has ended and the device is free; faulted when listening failed.</returns>
    /// <inheritdoc cref="Run(PciDevice, CancellationToken)"/>
    public Task RunAsync(PciDevice device, CancellationToken cancellation = default) => RunAsync(device, new ServingStatus(), cancellation);

    /// <summary>Serves a device on the caller's threads: nothing happens but in <see cref="DevicePoller.Process"/>.</summary>
    /// <param name="device">Served nowhere else.</param>
    /// <param name="cancellation">Ends it, as disposing the server does: the next call of Process tells.</param>
    /// <returns>To be disposed; the server may then serve again.</returns>
    /// <exception cref="InvalidOperationException">The device is served elsewhere, or this server runs already.</exception>
    /// <exception cref="IOException">The system has no descriptors left.</exception>
    public DevicePoller CreatePoller(PciDevice device, CancellationToken cancellation = default) =>
        CreatePoller(device, new ServingStatus(), cancellation);

    /// <summary>Ends the session and stops listening. The task of a run ends soon after.</summary>
    public void Dispose()
    {
        _disposed.Cancel();
        _clients.Dispose();
    }
}
