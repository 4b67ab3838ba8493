namespace VfioUser.Disks;

/// <summary>How a disk in a file uses the kernel's page cache, and when a write is durable: by QEMU's names.</summary>
public enum FileCacheMode
{
    /// <summary>Through the page cache. A write is durable after a flush.</summary>
    Writeback,

    /// <summary>Past the page cache, with O_DIRECT. A write is durable after a flush: the device has a cache, too.</summary>
    None,

    /// <summary>Through the page cache, and each write is flushed before it is answered.</summary>
    Writethrough,

    /// <summary>Past the page cache, and each write is flushed before it is answered.</summary>
    DirectSync,

    /// <summary>Through the page cache, and flushes do nothing: the kernel writes when it likes. For data that may be lost.</summary>
    Unsafe,
}
