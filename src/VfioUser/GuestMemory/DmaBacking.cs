namespace VfioUser;

/// <summary>How the device reaches a stretch of guest memory.</summary>
public enum DmaBacking
{
    /// <summary>The client's file is mapped here: plain memory.</summary>
    Mapped,

    /// <summary>The client's file is read and written with system calls, because it could shrink or because the client asked for it.</summary>
    FileIo,

    /// <summary>The client is asked by message, for it gave no file.</summary>
    Message,
}
