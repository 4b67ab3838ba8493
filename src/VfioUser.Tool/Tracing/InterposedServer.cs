using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Tracing;

/// <summary>Lets clients in, and stands between each and a server connection of its own. One that comes while another one is
/// there hears from the server what it makes of that.</summary>
/// <remarks>A thread that lets them in, and one for each.</remarks>
/// <param name="clients">Borrowed.</param>
/// <param name="connect">A connection to the server. Any thread.</param>
/// <param name="output">Is told what passes.</param>
/// <param name="complain">Called with what went wrong with one client, one call at a time; the others are served all the same.</param>
/// <param name="stage">What it does to messages; null for nothing.</param>
internal sealed class InterposedServer(IClientSource clients, Func<SafeSocketHandle> connect, TraceOutput output, Action<string> complain, IMessageStage? stage = null)
{
    // the others wait in the socket's queue
    private const int MaxClients = 16;

    // a server that does not read what a client has left behind is not waited for
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(2);

    private readonly List<(Thread Thread, SafeSocketHandle Socket)> _served = [];
    private readonly Lock _complaining = new();

    /// <summary>Until it is cancelled.</summary>
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
                    // as when no descriptor is left: then the next one fails at once, too
                    stop.WaitHandle.WaitOne(ClientWait.AcceptAgainAfter);
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
        AwaitLeavers();
        Thread thread = new(() =>
        {
            Serve(number, client, stop);
            room.Release();
        })
        { Name = "vfio-user between", IsBackground = true };
        _served.Add((thread, client));
        thread.Start();
    }

    // The server shall not see one who has left beside the one who comes next.
    private void AwaitLeavers()
    {
        foreach ((Thread thread, SafeSocketHandle socket) in _served)
        {
            if (HasLeft(socket))
                thread.Join(LongestFarewell);
        }
        _served.RemoveAll(client => !client.Thread.IsAlive);
    }

    private static bool HasLeft(SafeSocketHandle socket)
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
