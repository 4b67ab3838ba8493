namespace VfioUser.Virtio;

/// <summary>Options for a block device. Immutable.</summary>
public sealed record VirtioBlockOptions
{
    /// <summary>Most queues that a device can have.</summary>
    public const int MaxQueues = 64;

    /// <summary>The longest serial number, in characters.</summary>
    public const int MaxSerialNumberLength = 20;

    /// <summary>Queues that the driver may use, from 1 to 64: each has an interrupt vector and a thread.</summary>
    public int Queues { get; init; } = 4;

    /// <summary>Most entries of a queue: a power of two from 4 to 32768. All of its requests may be with the disk at the same time.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>Bytes in a logical block: 512 or 4096, and no less than the disk's <see cref="DiskHints.BlockSize"/>.</summary>
    public int BlockSize { get; init; } = 512;

    /// <summary>By which the guest tells disks apart: up to 20 ASCII characters. Null for one that follows from the disk's
    /// <see cref="Disk.Identity"/>.</summary>
    public string? SerialNumber { get; init; }

    /// <summary>Whether writes are refused, even if the disk would take them.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether the packed layout of queues is offered.</summary>
    public bool OffersPackedRings { get; init; } = true;

    /// <summary>Threads for disks that block: as many accesses may block at the same time; from 1 to 256.</summary>
    public int DiskThreads { get; init; } = 16;

    internal void Check(Disk disk)
    {
        if (Queues is < 1 or > MaxQueues)
            throw new ArgumentException($"A block device has 1 to {MaxQueues} queues, not {Queues}.");
        if (QueueSize is < 4 or > 32768 || !int.IsPow2(QueueSize))
            throw new ArgumentException($"A queue has 4 to 32768 entries, a power of two, and not {QueueSize}.");
        if (BlockSize is not (512 or 4096))
            throw new ArgumentException($"A block has 512 or 4096 bytes, not {BlockSize}.");
        if (BlockSize < disk.Hints.BlockSize)
            throw new ArgumentException($"The device has blocks of {BlockSize} bytes, and its disk of {disk.Hints.BlockSize}.");
        if (disk.Size < BlockSize)
            throw new ArgumentException($"A disk has at least one block of {BlockSize} bytes: this one has {disk.Size} bytes.");
        if (SerialNumber is { } serial && (serial.Length > MaxSerialNumberLength || !System.Text.Ascii.IsValid(serial)))
            throw new ArgumentException($"A serial number has at most {MaxSerialNumberLength} characters, all of ASCII.");
        if (DiskThreads is < 1 or > 256)
            throw new ArgumentException($"There are 1 to 256 threads for disks, not {DiskThreads}.");
    }
}
