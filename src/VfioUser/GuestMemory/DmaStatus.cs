namespace VfioUser;

/// <summary>Whether an access to guest memory was done, or why it failed.</summary>
/// <remarks>A wrong address is input of the guest: see <see cref="DmaResult.IsBadAddress"/>.</remarks>
public enum DmaStatus
{
    /// <summary>There was no access: the default of a <see cref="DmaResult"/>.</summary>
    None,

    /// <summary>All bytes were read or written.</summary>
    Done,

    /// <summary>A byte is in no DMA region: the guest's driver gave a wrong address, or the region was unmapped.</summary>
    NotMapped,

    /// <summary>A byte is in a DMA region that the device may not read.</summary>
    NotReadable,

    /// <summary>A byte is in a DMA region that the device may not write.</summary>
    NotWritable,

    /// <summary>The range goes beyond the last address, 2^64 - 1. Nothing was accessed.</summary>
    AddressOverflow,

    /// <summary>The range goes beyond the end of a <see cref="DmaList"/>. Nothing was accessed.</summary>
    EndOfList,

    /// <summary>The guest has not enabled bus mastering: bit 2 of the Command register is 0. The address may be valid.
    /// See <see cref="ConfigSpace.IsBusMasterEnabled"/>.</summary>
    BusMasterOff,

    /// <summary>The address of an atomic change is not a multiple of the size.</summary>
    Misaligned,

    /// <summary>The memory is not mapped into this process, but accessed by system calls or messages: it cannot be pinned or changed
    /// atomically. The address is valid.</summary>
    NotInPlace,

    /// <summary>The client sent no descriptor for the memory, or it is not kept. The address is valid.</summary>
    NoDescriptor,

    /// <summary>The range goes on in another DMA region, which another descriptor may be for. The address is valid.</summary>
    NotContiguous,

    /// <summary>The client replied to DMA_READ or DMA_WRITE with an error, as QEMU does for addresses that are not RAM.
    /// <see cref="DmaResult.Errno"/> has its error.</summary>
    Refused,

    /// <summary>The client did not reply to DMA_READ or DMA_WRITE within <see cref="VfioUserServerOptions.DmaTimeout"/>.</summary>
    TimedOut,

    /// <summary>The device is being reset, and the client did not reply to DMA_READ or DMA_WRITE within a second.</summary>
    Cancelled,

    /// <summary>The client's reply was malformed, or did not come before too many commands; the server's log says which. The address may
    /// have been valid.</summary>
    BadReply,

    /// <summary>There is no client: it has disconnected, or violated the protocol. The address may have been valid.</summary>
    Disconnected,

    /// <summary>The client's file could not be read or written: it was truncated, for example. <see cref="DmaResult.Errno"/> has the
    /// error.</summary>
    FileFailed,
}
