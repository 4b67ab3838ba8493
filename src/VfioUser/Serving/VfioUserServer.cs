using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves a device to one client after another.</summary>
/// <remarks>
/// Each session has its own command thread, which runs the device's code, and with a twin socket a second one that
/// completes the device's DMA. Dispose ends everything and removes the socket file. Any thread.
/// Spec: "Connection Initiation", "Socket Disconnection Behavior".
/// </remarks>
public sealed class VfioUserServer : IDisposable
{
    /// <summary>The meter that measures servers. What it measures stands in <c>docs/observability.md</c>.</summary>
    public const string MeterName = "VfioUser";

    private static readonly TimeSpan AcceptAgainAfter = TimeSpan.FromMilliseconds(100);

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
    public Task RunAsync(PciDevice device, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("The server serves a device already. A second device needs a second server.");
        try
        {
            device.BeginServing();
        }
        catch
        {
            Volatile.Write(ref _running, 0);
            throw;
        }
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() => CommandPump(device, done, cancellation)) { Name = "vfio-user commands", IsBackground = true };
        thread.Start();
        return done.Task;
    }

    /// <summary>Ends the session and stops listening. The task of a run ends soon after.</summary>
    public void Dispose()
    {
        _disposed.Cancel();
        _clients.Dispose();
    }

    private void CommandPump(PciDevice device, TaskCompletionSource done, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _disposed.Token);
        Exception? failure = null;
        try
        {
            while (!stop.IsCancellationRequested && NextClient(stop.Token) is { } socket)
                Serve(device, socket, stop.Token);
        }
        catch (OperationCanceledException)
        {
            // this is how a run ends
        }
        catch (Exception e)
        {
            failure = e;
        }
        finally
        {
            device.EndServing();
            Volatile.Write(ref _running, 0);
        }
        if (failure is null)
            done.SetResult();
        else
            done.SetException(failure);
    }

    // a process that has no descriptor left has some again when a session somewhere else in it ends
    private SafeSocketHandle? NextClient(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return _clients.Next(stop);
            }
            catch (IOException e)
            {
                _log.CannotAccept(e.Message);
                stop.WaitHandle.WaitOne(AcceptAgainAfter);
                stop.ThrowIfCancellationRequested();
            }
        }
    }

    private void Serve(PciDevice device, SafeSocketHandle socket, CancellationToken stop)
    {
        MessageSocket messages = new(socket, new MessageSocketOptions { Spin = _options.Spin, Trace = _log });
        using MessageChannel channel = new(messages, new MessageChannelOptions { CallTimeout = _options.DmaTimeout });
        using CancellationTokenRegistration registration = stop.Register(channel.Shutdown);
        try
        {
            PeerCredentials peer = SocketPeer.Credentials(socket);
            if (_options.AcceptPeer is { } accept && !accept(peer))
            {
                _log.PeerRefused(peer.ProcessId, peer.UserId);
                return;
            }
            _log.Attached(peer.ProcessId, peer.UserId);
            using Session? session = Handshake.TryBegin(device, channel, _options, _log, stop);
            if (session is not null)
                Run(session);
            _log.Detached();
        }
        catch (Exception e)
        {
            _log.SessionFailed(e);
        }
    }

    private void Run(Session session)
    {
        try
        {
            session.Run();
        }
        catch (ProtocolException e)
        {
            _log.SessionBroken(e.Message);
            if (e.Header is { } header)
                session.Refuse(header);
        }
    }
}
