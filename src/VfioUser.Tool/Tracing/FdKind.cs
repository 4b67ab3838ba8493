namespace VfioUser.Tool.Tracing;

/// <summary>Kinds of descriptors. Recordings contain the numbers: they are frozen.</summary>
internal enum FdKind
{
    Other = 0,

    /// <summary>A memory file, of <c>memfd_create</c>.</summary>
    Memory = 1,

    EventFd = 2,

    Socket = 3,

    /// <summary>A file with a name and a length.</summary>
    File = 4,
}
