namespace VfioUser.Disks;

/// <summary>Options for a disk in a file. Immutable.</summary>
public sealed record FileDiskOptions
{
    /// <summary>In bytes: creates a missing file, and gives a new or empty one this size. Null for a file that must exist.</summary>
    public long? Size { get; init; }

    /// <summary>Whether it is only read.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether another process has it until a guest has migrated here: it must exist, and is locked by
    /// <see cref="Disk.Activate"/>.</summary>
    public bool IsIncoming { get; init; }

    /// <summary>How the page cache is used.</summary>
    public FileCacheMode Cache { get; init; } = FileCacheMode.Writeback;
}
