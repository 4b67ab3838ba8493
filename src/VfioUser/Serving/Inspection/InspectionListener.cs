using System.Net.Sockets;
using System.Text.Json;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The inspection socket of a server: accepts inspectors, and answers their requests.</summary>
/// <remarks>
/// Runs on the thread pool, never on a thread of the session. Bounded: so many inspectors, a short request and a bounded answer for each, and an
/// inspector that does not read its answer is disconnected.
/// </remarks>
internal sealed class InspectionListener : IDisposable
{
    /// <summary>Most inspectors at a time.</summary>
    public const int MaxInspectors = 8;

    private readonly SocketListener _listener;
    private readonly Func<PeerCredentials, bool> _accept;
    private readonly InspectedServer _server;
    private readonly ServerLog _log;
    private readonly CancellationTokenSource _stop = new();
    private int _inspectors;

    private InspectionListener(SocketListener listener, Func<PeerCredentials, bool> accept, InspectedServer server, ServerLog log) =>
        (_listener, _accept, _server, _log) = (listener, accept, server, log);

    /// <summary>Listens.</summary>
    /// <exception cref="IOException">The address is in use, or the system failed.</exception>
    public static InspectionListener Start(string address, VfioUserServerOptions options, InspectedServer server, ServerLog log)
    {
        SocketListener listener = address is ['@', .. { Length: > 0 } name] ? SocketListener.OnAbstractName(name) : SocketListener.OnPath(address, options.SocketMode);
        Socket listening;
        try
        {
            // a duplicate: .NET waits for connections on a handle of its own
            listening = new Socket(SocketCalls.Duplicate(listener.Listening));
        }
        catch
        {
            listener.Dispose();
            throw;
        }
        InspectionListener inspection = new(listener, options.AcceptInspector ?? IsOwnUserOrRoot, server, log);
        log.Inspectable(address);
        // the token is taken here, since the source may be disposed before the task begins
        CancellationToken stop = inspection._stop.Token;
        _ = Task.Run(() => inspection.AcceptAsync(listening, stop), CancellationToken.None);
        return inspection;
    }

    /// <summary>Stops listening, and disconnects the inspectors.</summary>
    public void Dispose()
    {
        _listener.Dispose();
        _stop.Cancel();
    }

    /// <summary>Whom a server without <see cref="VfioUserServerOptions.AcceptInspector"/> accepts.</summary>
    internal static bool IsOwnUserOrRoot(PeerCredentials peer) => peer.UserId == 0 || peer.UserId == Libc.GetEffectiveUserId();

    private async Task AcceptAsync(Socket listening, CancellationToken stop)
    {
        using Socket own = listening;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Socket inspector = await own.AcceptAsync(stop).ConfigureAwait(false);
                _ = ServeAsync(inspector, stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e)
            {
                // often the process has too many open files, and others close some
                _log.InspectionFailed(e);
                await Task.Delay(ClientWait.AcceptRetryInterval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ServeAsync(Socket socket, CancellationToken stop)
    {
        int already = Interlocked.Increment(ref _inspectors) - 1;
        try
        {
            using Socket own = socket;
            Inspector inspector = new(own, stop);
            if (ReasonToRefuse(SocketPeer.Credentials(own.SafeHandle), already) is { } reason)
                await inspector.SendAsync(new InspectionAnswer { Error = reason }).ConfigureAwait(false);
            else
                await ServeAsync(inspector).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // the inspector has gone, does not read, or the server stops: the session has no part in it, so there is nothing to tell
            return;
        }
        catch (Exception e)
        {
            _log.InspectionFailed(e);
        }
        finally
        {
            Interlocked.Decrement(ref _inspectors);
        }
    }

    private string? ReasonToRefuse(PeerCredentials peer, int already)
    {
        string? reason = !_accept(peer) ? "this user may not inspect the server"
            : already >= MaxInspectors ? FormattableString.Invariant($"{MaxInspectors} inspectors are connected, as many as may be")
            : null;
        if (reason is not null)
            _log.InspectorRefused(peer.ProcessId, peer.UserId, reason);
        return reason;
    }

    private async Task ServeAsync(Inspector inspector)
    {
        while (await inspector.ReceiveAsync().ConfigureAwait(false) is { } line)
        {
            InspectionAnswer answer = Answer(line);
            await inspector.SendAsync(answer).ConfigureAwait(false);
        }
    }

    private InspectionAnswer Answer(ReadOnlyMemory<byte> line)
    {
        try
        {
            InspectionRequest? request = JsonSerializer.Deserialize(line.Span, InspectionJson.Default.InspectionRequest);
            return request is null ? new InspectionAnswer { Error = "a request is a JSON object" } : _server.Answer(request);
        }
        catch (JsonException)
        {
            return new InspectionAnswer { Error = """a request is a line such as {"show":"server"}""" };
        }
    }
}
