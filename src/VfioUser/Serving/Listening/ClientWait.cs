using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Waits for clients.</summary>
internal static class ClientWait
{
    /// <summary>Time from a failed accept to the next.</summary>
    public static readonly TimeSpan AcceptRetryInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits for the next client; null when cancelled, or the source is closed.</summary>
    /// <exception cref="IOException">Accept failed, but may succeed later.</exception>
    public static SafeSocketHandle? Next(this IClientSource clients, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && clients.Listening is not { IsClosed: true })
        {
            if (clients.TryNext() is { } client)
                return client;
            clients.AwaitClient(stopping);
        }
        return null;
    }

    /// <summary>Waits until a client may be there, or cancelled.</summary>
    /// <exception cref="IOException">The process has no free descriptor for the wait.</exception>
    public static void AwaitClient(this IClientSource clients, CancellationToken stopping)
    {
        if (clients.Listening is null)
            return;
        using StopSignal stop = new(stopping);
        clients.AwaitClient(stop);
    }

    /// <summary>Waits until a client may be there, or the server stops.</summary>
    public static void AwaitClient(this IClientSource clients, StopSignal stop)
    {
        if (clients.Listening is not { } listening)
            return;
        try
        {
            PollCalls.WaitForEither(stop.Handle, listening, Timeout.Infinite);
        }
        catch (ObjectDisposedException) when (listening.IsClosed)
        {
            // the server stops
        }
    }
}
