namespace VfioUser.Disks;

/// <summary>Options for a disk in a Ceph cluster. Immutable.</summary>
public sealed record RbdDiskOptions
{
    /// <summary>How long connecting to the cluster may take: its <c>client_mount_timeout</c>, in whole seconds, unless the address
    /// says one.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After how long an access fails that the cluster does not answer: its <c>rados_osd_op_timeout</c>, in whole seconds.
    /// By default never: the guest waits, and goes on when the cluster is back.</summary>
    public TimeSpan GiveUpAfter { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Whether librbd may cache, if the configuration has it so. Without, <c>rbd_cache</c> is off unless the address or the
    /// image says otherwise.</summary>
    public bool IsCached { get; init; } = true;

    /// <summary>Whether the guest may not write. The image is not locked then.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether another process has the image until a guest has migrated here: <see cref="Disk.Activate"/> locks it.</summary>
    public bool IsIncoming { get; init; }

    /// <summary>Called with one line when something about the image is worth one. Any thread.</summary>
    public Action<string>? Log { get; init; }
}
