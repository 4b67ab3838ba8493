namespace VfioUser;

/// <summary>How the device accesses a DMA region.</summary>
public enum DmaBacking
{
    /// <summary>The client's file is mapped into this process: loads and stores.</summary>
    Mapped,

    /// <summary>The client's file is read and written with system calls: it could shrink, this process can map no more, or the
    /// client asked for it.</summary>
    FileIo,

    /// <summary>By DMA_READ and DMA_WRITE messages: the client sent no file, or one that is not safe to use.</summary>
    Message,
}
