namespace VfioUser;

/// <summary>What a device comes to rest for.</summary>
public enum QuiesceReason
{
    /// <summary>A reset, by the client or by the driver.</summary>
    Reset,

    /// <summary>Guest memory is mapped.</summary>
    DmaMap,

    /// <summary>Guest memory is unmapped.</summary>
    DmaUnmap,

    /// <summary>The migration state changes.</summary>
    Migration,

    /// <summary>The client has gone, or the server stops: all memory is unmapped and interrupts arrive nowhere.</summary>
    ClientGone,
}
