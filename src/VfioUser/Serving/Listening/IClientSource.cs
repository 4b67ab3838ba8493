using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A source of clients.</summary>
internal interface IClientSource : IDisposable
{
    string Address { get; }

    /// <summary>Accepts the next client, if there is one; otherwise null.</summary>
    /// <exception cref="IOException">Accept failed, but may succeed later.</exception>
    SafeSocketHandle? TryNext();

    /// <summary>The listening socket, readable when a client has connected; null if there will be no further clients.</summary>
    SafeHandle? Listening { get; }
}
