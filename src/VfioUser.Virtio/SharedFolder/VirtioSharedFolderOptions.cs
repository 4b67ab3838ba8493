namespace VfioUser.Virtio;

/// <summary>How a folder is shared with a guest. Immutable.</summary>
public sealed record VirtioSharedFolderOptions
{
    /// <summary>The name by which the guest mounts it, of 1 to 127 printable ASCII characters.</summary>
    public string Tag { get; init; } = "share";

    /// <summary>Whether the guest may only read.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>How many files the guest has numbers for at most: 16 to 65536. Each has a descriptor of this process, or two.</summary>
    public int MaxFiles { get; init; } = 4096;

    /// <summary>The largest message, which the guest may ask to be smaller: 4 KiB to 1 MiB.</summary>
    public int MaxMessage { get; init; } = 512 << 10;

    internal void Check()
    {
        if (Tag is not { Length: > 0 and < 128 } || Tag.Any(static c => c is < ' ' or > '~'))
            throw new ArgumentException($"\"{Tag}\" is no tag: 1 to 127 printable ASCII characters.", nameof(Tag));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxFiles, 16, nameof(MaxFiles));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxFiles, 1 << 16, nameof(MaxFiles));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxMessage, 4 << 10, nameof(MaxMessage));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxMessage, 1 << 20, nameof(MaxMessage));
    }
}
