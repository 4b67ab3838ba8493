namespace VfioUser.Testing;

/// <summary>How the device under test reaches the guest's memory.</summary>
public enum GuestMemoryKind
{
    /// <summary>A descriptor comes with the map: the device reads and writes in place. It is sealed and cannot be truncated;
    /// no message asks for it that could fail.</summary>
    Mapped,

    /// <summary>A descriptor comes with the map, of a file that can shrink: the device uses system calls, and what is behind
    /// the end fails.</summary>
    FileIo,

    /// <summary>No descriptor: messages on a socket of their own, which faults can hold, fail or lose.</summary>
    TwinSocket,

    /// <summary>No descriptor, no second socket: messages in between the guest's commands, with the same faults.</summary>
    SingleSocket,
}
