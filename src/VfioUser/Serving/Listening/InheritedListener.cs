using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A listening socket that another process has created, and may still use.</summary>
/// <remarks>Without <see cref="Socket"/>: if that is closed during a wait, it shuts the socket down, also for the other process.</remarks>
internal sealed class InheritedListener : IClientSource
{
    private readonly SafeSocketHandle _socket;

    /// <summary>Takes over a socket.</summary>
    /// <exception cref="ArgumentException">It is not a listening stream socket of AF_UNIX. It is not taken over.</exception>
    public InheritedListener(SafeSocketHandle socket)
    {
        if (!ListeningCalls.IsListeningStream(socket))
            throw new ArgumentException("The descriptor is not a listening stream socket of AF_UNIX.", nameof(socket));
        ListeningCalls.SetCloseOnExec(socket);
        ListeningCalls.SetNonBlocking(socket);
        _socket = socket;
        Address = ListeningCalls.AddressOf(socket) ?? "a listening socket";
    }

    public string Address { get; }

    public SafeHandle Listening => _socket;

    public SafeSocketHandle? TryNext()
    {
        SafeSocketHandle? client = SocketListener.TryAccept(_socket);
        // the other process may have shut it down: it would be readable for ever
        if (client is null && PollCalls.HasHungUp(_socket))
            throw new SocketException((int)SocketError.Shutdown, "The listening socket was shut down.");
        return client;
    }

    public void Dispose() => _socket.Dispose();
}
