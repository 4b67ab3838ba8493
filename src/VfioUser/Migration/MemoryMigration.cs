namespace VfioUser;

/// <summary>When a migration carries the shared memory of a region.</summary>
public enum MemoryMigration
{
    /// <summary>Once the device is stopped.</summary>
    Stopped,

    /// <summary>In pre-copy, and what has changed meanwhile once the device is stopped. For large memory, of a device whose migration has
    /// pre-copy.</summary>
    PreCopy,

    /// <summary>Never: the device or its driver fills it anew.</summary>
    Skip,
}
