using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Tracing;

/// <summary>Accepts clients, and passes messages between each and a server connection of its own. The server decides about a client
/// that connects while another one is attached.</summary>
/// <remarks>A thread that accepts, and one for each client.</remarks>
/// <param name="clients">Borrowed.</param>
/// <param name="connect">Makes a connection to the server. Any thread.</param>
/// <param name="output">Receives the trace.</param>
/// <param name="complain">Called with the failure of one client, one call at a time; the others are still served.</param>
/// <param name="stage">Decides whether messages are passed on; null to pass on all.</param>
internal sealed class InterposedServer(IClientSource clients, Func<SafeSocketHandle> connect, TraceOutput output, Action<string> complain, IMessageStage? stage = null)
{
    // further clients wait in the socket's queue
    private const int MaxClients = 16;

    // how long to wait for a server to read the last messages of a client that has disconnected
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(2);

    private readonly List<(Thread Thread, SafeSocketHandle Socket)> _served = [];
    private readonly Lock _complaining = new();

    /// <summary>Runs until it is cancelled.</summary>
    public void Run(CancellationToken stop)
    {
        using SemaphoreSlim room = new(MaxClients);
        try
        {
            for (int number = 1; Accept(room, stop) is { } client; number++)
                Start(number, client, room, stop);
        }
        finally
        {
            foreach ((Thread thread, _) in _served)
                thread.Join();
        }
    }

    // null when it was cancelled
    private SafeSocketHandle? Accept(SemaphoreSlim room, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                room.Wait(stop);
                try
                {
                    if (clients.Next(stop) is { } client)
                        return client;
                }
                catch (IOException e)
                {
                    Complain(e);
                    // without free descriptors, for one, the next accept would fail at once, too
                    stop.WaitHandle.WaitOne(ClientWait.AcceptRetryInterval);
                }
                room.Release();
                stop.ThrowIfCancellationRequested();
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private void Start(int number, SafeSocketHandle client, SemaphoreSlim room, CancellationToken stop)
    {
        AwaitDisconnected();
        Thread thread = new(() =>
        {
            Serve(number, client, stop);
            room.Release();
        })
        { Name = "vfio-user between", IsBackground = true };
        _served.Add((thread, client));
        thread.Start();
    }

    // the server must not see a client that has disconnected beside the next one
    private void AwaitDisconnected()
    {
        foreach ((Thread thread, SafeSocketHandle socket) in _served)
        {
            if (HasDisconnected(socket))
                thread.Join(DrainTimeout);
        }
        _served.RemoveAll(client => !client.Thread.IsAlive);
    }

    private static bool HasDisconnected(SafeSocketHandle socket)
    {
        try
        {
            return PollCalls.HasHungUp(socket);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    private void Serve(int number, SafeSocketHandle client, CancellationToken stop)
    {
        using (client)
        {
            try
            {
                using Interposer between = new(number, client, connect(), output, stage);
                using CancellationTokenRegistration stopping = stop.Register(between.Shutdown);
                Pass(number, between);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or ToolException)
            {
                Complain(e);
            }
        }
    }

    private void Pass(int number, Interposer between)
    {
        output.Connected(number);
        try
        {
            between.Run();
        }
        finally
        {
            output.Disconnected(number);
        }
    }

    private void Complain(Exception problem)
    {
        lock (_complaining)
            complain(problem.Message);
    }
}
