using System.Net.Sockets;

namespace VfioUser;

/// <summary>Where clients come from.</summary>
internal interface IClientSource : IDisposable
{
    string Address { get; }

    /// <summary>Waits for the next client; null when none will come any more.</summary>
    /// <exception cref="IOException">None can be let in now, but perhaps later.</exception>
    SafeSocketHandle? Next(CancellationToken cancellation);
}
