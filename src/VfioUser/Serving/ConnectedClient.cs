using System.Net.Sockets;

namespace VfioUser;

/// <summary>One client that is there already.</summary>
internal sealed class ConnectedClient(SafeSocketHandle socket) : IClientSource
{
    private SafeSocketHandle? _socket = socket;

    public string Address => "a connected socket";

    public SafeSocketHandle? Next(CancellationToken cancellation) => Interlocked.Exchange(ref _socket, null);

    public void Dispose() => Interlocked.Exchange(ref _socket, null)?.Dispose();
}
