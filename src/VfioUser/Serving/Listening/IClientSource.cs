using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Where clients come from.</summary>
internal interface IClientSource : IDisposable
{
    string Address { get; }

    /// <summary>The next client, if it is there already; else null.</summary>
    /// <exception cref="IOException">None can be let in now, but perhaps later.</exception>
    SafeSocketHandle? TryNext();

    /// <summary>Readable when a client is there; null when none will come that is not there already.</summary>
    SafeHandle? Listening { get; }
}
