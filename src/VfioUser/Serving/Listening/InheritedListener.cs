using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A listening socket that another process made, and may still hold.</summary>
/// <remarks>Not by the runtime's <see cref="Socket"/>: closed while it waits, that one shuts the socket down, for all who hold it.</remarks>
internal sealed class InheritedListener : IClientSource
{
    private readonly SafeSocketHandle _socket;

    /// <summary>Takes over a socket.</summary>
    /// <exception cref="ArgumentException">It is no listening stream socket of AF_UNIX. It stays the caller's.</exception>
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
        // whoever else holds it can do that; it would say again and again that somebody is there
        if (client is null && PollCalls.HasHungUp(_socket))
            throw new SocketException((int)SocketError.Shutdown, "The listening socket was shut down.");
        return client;
    }

    public void Dispose() => _socket.Dispose();
}
