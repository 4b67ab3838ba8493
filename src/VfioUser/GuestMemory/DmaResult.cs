namespace VfioUser;

/// <summary>What became of an access to guest memory.</summary>
public enum DmaResult
{
    /// <summary>All of it was read or written.</summary>
    Done,

    /// <summary>A byte lies in no region that the client has mapped, or in one that the device may not read or write so: the
    /// guest's driver gave a wrong address.</summary>
    NotMapped,

    /// <summary>The client was asked by message and answered with an error: QEMU does while the driver has not switched bus mastering
    /// on, and where a guest's address is not RAM.</summary>
    Refused,

    /// <summary>The client was asked by message and has not answered within <see cref="VfioUserServerOptions.DmaTimeout"/>, or before the
    /// device was reset.</summary>
    TimedOut,

    /// <summary>There is no client, or none that can be talked to: it has left, or broke the protocol. The address may have been a good one.</summary>
    Disconnected,

    /// <summary>Something else went wrong, which the server's log names: the file behind the memory failed, or the client's answer was
    /// none. The address may have been a good one.</summary>
    Failed,
}
