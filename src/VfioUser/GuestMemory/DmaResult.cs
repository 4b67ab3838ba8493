namespace VfioUser;

/// <summary>The result of an access to guest memory.</summary>
public enum DmaResult
{
    /// <summary>All bytes were read or written.</summary>
    Done,

    /// <summary>A byte is not in a mapped region, or its region does not allow the access: the guest's driver gave a wrong
    /// address.</summary>
    NotMapped,

    /// <summary>The guest has not enabled bus mastering: bit 2 of the Command register is 0. The address may be valid.
    /// See <see cref="ConfigSpace.BusMasterEnabled"/>.</summary>
    BusMasterOff,

    /// <summary>The client replied to DMA_READ or DMA_WRITE with an error, as QEMU does for addresses that are not RAM.</summary>
    Refused,

    /// <summary>The client did not reply to DMA_READ or DMA_WRITE within <see cref="VfioUserServerOptions.DmaTimeout"/>, or before
    /// the device was reset.</summary>
    TimedOut,

    /// <summary>There is no client: it has disconnected, or violated the protocol. The address may have been valid.</summary>
    Disconnected,

    /// <summary>The client's file could not be read or written, its reply was malformed, or it sent too many commands before its
    /// reply; the server logs malformed replies and such commands. The address may have been valid.</summary>
    Failed,

    /// <summary>An atomic change is not possible there: the memory is not mapped into this process, or the address is not a multiple of
    /// the size.</summary>
    NotAtomic,

    /// <summary>The memory cannot be pinned: a byte of it is not mapped into this process, but accessed by system calls or messages.
    /// The address is valid.</summary>
    NotInPlace,
}
