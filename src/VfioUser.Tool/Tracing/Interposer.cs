using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Tracing;

/// <summary>Passes messages with their descriptors between one client and a server.</summary>
/// <remarks>A thread for each socket and direction; <see cref="Shutdown"/> is for any thread.</remarks>
internal sealed class Interposer : IDisposable
{
    private const int ShutWrite = 1;

    // more than any known peer allows; a longer message is passed on in pieces
    private static readonly MessageSocketOptions Options = new() { MaxMessageFds = ControlMessage.MaxReceived, MaxMessageSize = 16 << 20 };

    private readonly MessageSocket _client;
    private readonly MessageSocket _server;
    private readonly EventFd _ended = new();
    private readonly Lock _gate = new();
    private MessageSocket? _clientTwin;
    private MessageSocket? _serverTwin;
    private Thread? _twin;
    private Exception? _failure;
    private bool _over;

    /// <summary>Takes ownership of both sockets.</summary>
    public Interposer(int number, SafeSocketHandle client, SafeSocketHandle server, TraceOutput output, IMessageStage? stage = null)
    {
        Client = number;
        Output = output;
        Stage = stage;
        _client = new MessageSocket(client, Options);
        _server = new MessageSocket(server, Options);
    }

    /// <summary>Number of the client.</summary>
    public int Client { get; }

    public TraceOutput Output { get; }

    public IMessageStage? Stage { get; }

    /// <summary>Passes messages on until either side has disconnected.</summary>
    /// <exception cref="IOException">The system failed, or a sink did.</exception>
    public void Run()
    {
        Pass(Way.ToServer, _client, _server, _ended);
        lock (_gate)
        {
            _over = true;
            _clientTwin?.Shutdown();
            _serverTwin?.Shutdown();
        }
        _twin?.Join();
        if (_failure is not null)
            throw new IOException(_failure.Message, _failure);
    }

    /// <summary>Ends it: <see cref="Run"/> returns. Any thread.</summary>
    public void Shutdown()
    {
        _client.Shutdown();
        _server.Shutdown();
    }

    /// <summary>Replaces the twin socket in a version reply by one of our own, to pass on its messages, too.</summary>
    /// <param name="version">The payload of the reply.</param>
    /// <param name="fds">Its descriptors; the socket among them is taken over and replaced.</param>
    public void InterposeTwin(ReadOnlySpan<byte> version, SafeHandle[] fds)
    {
        if (VersionMessage.TryParse(version, out _, out Capabilities capabilities, out _) != Errno.None
            || TwinSocketOutcome.Of(capabilities, fds.Length).FdIndex is not { } index
            || !SocketCalls.IsConnectedStream(fds[index]))
        {
            return;
        }
        lock (_gate)
        {
            if (_over || _twin is not null)
                return;
            (SafeSocketHandle ours, SafeSocketHandle theirs) = SocketCalls.CreatePair();
            _clientTwin = new MessageSocket(ours, Options);
            _serverTwin = new MessageSocket(SocketCalls.Duplicate(fds[index]), Options);
            fds[index].Dispose();
            fds[index] = theirs;
            _twin = Start("vfio-user twin", () =>
            {
                using EventFd ended = new();
                Pass(Way.ToServer | Way.Twin, _clientTwin, _serverTwin, ended);
            });
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _clientTwin?.Dispose();
        _serverTwin?.Dispose();
        _ended.Dispose();
    }

    // both directions between two sockets, until both have ended
    private void Pass(Way toServer, MessageSocket client, MessageSocket server, EventFd ended)
    {
        Thread back = Start("vfio-user to client", () => Pass(new Pump(this, toServer | Way.ToClient, server, client), server, client, ended));
        Pass(new Pump(this, toServer, client, server), client, server, ended);
        back.Join();
    }

    private void Pass(Pump pump, MessageSocket from, MessageSocket to, EventFd ended)
    {
        try
        {
            pump.Run();
            End(from, to, ended);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            Shutdown();
            from.Shutdown();
            to.Shutdown();
        }
        finally
        {
            ended.Signal();
        }
    }

    // a peer that shut down only its sending may still receive, so shut down only sending on the other side, too
    private static void End(MessageSocket from, MessageSocket to, EventFd otherWayEnded)
    {
        if (!PollCalls.HasHungUp(from.Handle))
        {
            _ = Libc.Shutdown(to.Handle, ShutWrite);
            PollCalls.WaitForReadOrHangUp(otherWayEnded.Handle, from.Handle, Timeout.Infinite);
        }
        to.Shutdown();
    }

    private static Thread Start(string name, Action body)
    {
        Thread thread = new(() => body()) { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }
}
