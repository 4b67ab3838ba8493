using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A single client that is connected already.</summary>
internal sealed class ConnectedClient(SafeSocketHandle socket) : IClientSource
{
    private SafeSocketHandle? _socket = socket;

    public string Address => "a connected socket";

    public SafeSocketHandle? TryNext()
    {
        SafeSocketHandle? client = Interlocked.Exchange(ref _socket, null);
        if (client is not null)
            SocketCalls.SetBlocking(client);
        return client;
    }

    public SafeHandle? Listening => null;

    public void Dispose() => Interlocked.Exchange(ref _socket, null)?.Dispose();
}
