namespace VfioUser.Testing;

/// <summary>How the device under test accesses the guest's memory.</summary>
public enum GuestMemoryKind
{
    /// <summary>A descriptor comes with DMA_MAP: the device reads and writes in place. The file is sealed and cannot be truncated,
    /// and there are no DMA messages to inject faults into.</summary>
    Mapped,

    /// <summary>A descriptor comes with DMA_MAP, of a file that can shrink: the device uses system calls, which fail past the
    /// end.</summary>
    FileIo,

    /// <summary>No descriptor: DMA_READ and DMA_WRITE messages on a twin socket, which faults can hold, fail or lose.</summary>
    TwinSocket,

    /// <summary>No descriptor, no twin socket: DMA_READ and DMA_WRITE messages between the guest's commands, with the same faults.</summary>
    SingleSocket,
}
