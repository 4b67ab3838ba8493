using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Tracing;

/// <summary>Accepts clients, and forwards messages between each and a server connection of its own. The server decides about a client
/// that connects while another one is attached.</summary>
/// <remarks>A thread that accepts, and one for each client.</remarks>
/// <param name="clients">Borrowed.</param>
/// <param name="connect">Makes a connection to the server. Any thread.</param>
/// <param name="output">Receives the trace.</param>
/// <param name="reportProblem">Called with the failure of one client, one call at a time; the others are still served.</param>
/// <param name="stage">Decides whether messages are forwarded; null to forward all.</param>
internal sealed class InterposedServer(IClientSource clients, Func<SafeSocketHandle> connect, TraceOutput output, Action<string> reportProblem, IMessageStage? stage = null)
{
    // further clients wait in the socket's queue
    private const int MaxClients = 16;

    // how long to wait for a server to read the last messages of a client that has disconnected
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(2);

    private readonly List<(Thread Thread, SafeSocketHandle Socket)> _served = [];
    private readonly Lock _reporting = new();

    /// <summary>Runs until it is cancelled.</summary>
    public void Run(CancellationToken stop)
    {
        using SemaphoreSlim slots = new(MaxClients);
        try
        {
            for (int number = 1; Accept(slots, stop) is { } client; number++)
                Start(number, client, slots, stop);
        }
        finally
        {
            foreach ((Thread thread, _) in _served)
                thread.Join();
        }
    }

    // null when it was cancelled
    private SafeSocketHandle? Accept(SemaphoreSlim slots, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                slots.Wait(stop);
                try
                {
                    if (clients.Next(stop) is { } client)
                        return client;
                }
                catch (IOException e)
                {
                    ReportProblem(e);
                    // without free descriptors, for one, the next accept would fail at once, too
                    stop.WaitHandle.WaitOne(ClientWait.AcceptRetryInterval);
                }
                slots.Release();
                stop.ThrowIfCancellationRequested();
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private void Start(int number, SafeSocketHandle client, SemaphoreSlim slots, CancellationToken stop)
    {
        AwaitDisconnected();
        Thread thread = new(() =>
        {
            Serve(number, client, stop);
            slots.Release();
        })
        { Name = "vfio-user forwarder", IsBackground = true };
        _served.Add((thread, client));
        thread.Start();
    }

    // the server must not see a disconnected client's connection beside the next one's
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
                ReportProblem(e);
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

    private void ReportProblem(Exception problem)
    {
        lock (_reporting)
            reportProblem(problem.Message);
    }
}
