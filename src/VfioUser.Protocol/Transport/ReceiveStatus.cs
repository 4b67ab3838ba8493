using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>The result of a receive.</summary>
[Experimental(Experiments.Transport)]
public enum ReceiveStatus
{
    /// <summary>Something was received.</summary>
    Received,

    /// <summary>There is nothing to receive now.</summary>
    Empty,

    /// <summary>The peer has disconnected, or the socket was shut down.</summary>
    Closed,
}
