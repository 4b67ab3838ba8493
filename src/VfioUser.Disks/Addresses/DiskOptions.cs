namespace VfioUser.Disks;

/// <summary>Options for a disk that is opened by its address. Immutable.</summary>
public sealed record DiskOptions
{
    /// <summary>In bytes: creates a missing file, and gives a new or empty one this size. Null for one that must exist.</summary>
    public long? Size { get; init; }

    /// <summary>Whether it is only read.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether another process has the file or image until a guest has migrated here: see <see cref="FileDiskOptions.IsIncoming"/>
    /// and <see cref="RbdDiskOptions.IsIncoming"/>.</summary>
    public bool IsIncoming { get; init; }

    /// <summary>How files use the page cache. Past it, writethrough and directsync have librbd cache nothing, too.</summary>
    public FileCacheMode Cache { get; init; } = FileCacheMode.Writeback;

    /// <summary>Called with one line when the connection to an NBD server is lost, and when it is back. Any thread.</summary>
    public Action<string>? Log { get; init; }
}
