using System.Net.Sockets;

namespace VfioUser.Tool.Tracing;

/// <summary>Lets clients in, one after another, and stands between each and a server connection of its own. One thread.</summary>
internal sealed class InterposedServer(IClientSource clients, Func<SafeSocketHandle> connect, TraceOutput output, IMessageStage? stage = null)
{
    /// <summary>Called with what went wrong with one client; the next one is served all the same.</summary>
    public Action<string>? Complain { get; init; }

    /// <summary>Until it is cancelled.</summary>
    public void Run(CancellationToken stop)
    {
        for (int number = 1; ; number++)
        {
            try
            {
                if (clients.Next(stop) is not { } client)
                    return;
                Serve(number, client, stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or ToolException && Complain is not null)
            {
                Complain(e.Message);
                // as when no descriptor is left: then the next one fails at once, too
                if (stop.WaitHandle.WaitOne(VfioUserServer.AcceptAgainAfter))
                    return;
            }
        }
    }

    private void Serve(int number, SafeSocketHandle client, CancellationToken stop)
    {
        using (client)
        {
            using Interposer between = new(number, client, connect(), output, stage);
            using CancellationTokenRegistration stopping = stop.Register(between.Shutdown);
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
    }
}
