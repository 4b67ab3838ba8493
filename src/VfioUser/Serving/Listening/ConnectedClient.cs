using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A single client that is connected already.</summary>
internal sealed class ConnectedClient(SafeSocketHandle socket) : IClientSource
{
    private SafeSocketHandle? _socket = socket;

    public string Address => "a connected socket";

    public SafeSocketHandle? TryNext() => Interlocked.Exchange(ref _socket, null);

    public SafeHandle? Listening => null;

    public void Dispose() => Interlocked.Exchange(ref _socket, null)?.Dispose();
}
