namespace VfioUser.Testing;

/// <summary>How the device under test reaches the guest's memory.</summary>
public enum GuestMemory
{
    /// <summary>A descriptor comes with the map: the device reads and writes in place.</summary>
    Mapped,

    /// <summary>A descriptor comes with the map, of a file that could shrink: the device uses system calls.</summary>
    FileIo,

    /// <summary>No descriptor: messages on a socket of their own.</summary>
    TwinSocket,

    /// <summary>No descriptor, no second socket: messages in between the guest's commands.</summary>
    SingleSocket,
}
