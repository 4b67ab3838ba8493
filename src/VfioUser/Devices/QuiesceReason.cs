namespace VfioUser;

/// <summary>Why a device is quiesced.</summary>
public enum QuiesceReason
{
    /// <summary>A reset, by the client, by the driver, or requested by the device.</summary>
    Reset,

    /// <summary>Guest memory is mapped, with a descriptor. Memory without one, accessed by message, is mapped and unmapped without quiescing.</summary>
    DmaMap,

    /// <summary>Guest memory is unmapped.</summary>
    DmaUnmap,

    /// <summary>The migration state changes.</summary>
    Migration,

    /// <summary>The client has disconnected, or the server stops: all memory is unmapped, and no interrupt is delivered.</summary>
    ClientGone,
}
