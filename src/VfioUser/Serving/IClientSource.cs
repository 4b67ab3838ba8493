using System.Net.Sockets;

namespace VfioUser;

/// <summary>Where clients come from.</summary>
internal interface IClientSource : IDisposable
{
    string Address { get; }

    /// <summary>Waits for the next client; null when none will come any more.</summary>
    SafeSocketHandle? Next(CancellationToken cancellation);
}
