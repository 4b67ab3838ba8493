using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Sleeping until a client comes.</summary>
internal static class ClientWait
{
    /// <summary>How long to let go by when the system lets nobody in.</summary>
    public static readonly TimeSpan AcceptAgainAfter = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits for the next client; null when nobody is waited for any more, or the source is closed.</summary>
    /// <exception cref="IOException">None can be let in now, but perhaps later.</exception>
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

    /// <summary>Waits until a client may be there, or nobody is waited for any more.</summary>
    /// <exception cref="IOException">No descriptor is left to wait with.</exception>
    public static void AwaitClient(this IClientSource clients, CancellationToken stopping)
    {
        if (clients.Listening is not { } listening)
            return;
        using EventFd stop = new();
        using CancellationTokenRegistration registration = stopping.UnsafeRegister(static stop => ((EventFd)stop!).Signal(), stop);
        try
        {
            PollCalls.WaitForEither(stop.Handle, listening, Timeout.Infinite);
        }
        catch (ObjectDisposedException) when (listening.IsClosed)
        {
            // whoever closed it does not want to let anybody in
        }
    }
}
