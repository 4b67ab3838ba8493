using Nvme.Doorbells;

namespace Nvme.Controller;

/// <summary>What there is to say about a controller. Immutable.</summary>
public sealed record NvmeOptions
{
    /// <summary>Largest number of I/O queue pairs that a controller can have.</summary>
    public const int MaxIoQueues = 64;

    /// <summary>What the guest tells disks apart by; up to 20 ASCII characters.</summary>
    public string SerialNumber { get; init; } = "VFIOUSER0001";

    /// <summary>What the guest shows; up to 40 ASCII characters.</summary>
    public string ModelNumber { get; init; } = "VfioUser NVMe";

    /// <summary>I/O queue pairs that the guest may create, from 1 to 64; each has an interrupt vector.</summary>
    public int IoQueues { get; init; } = 4;

    /// <summary>Entries that a queue may have, from 2 to 4096.</summary>
    public int QueueEntries { get; init; } = 1024;

    /// <summary>Bytes in a logical block: 512 or 4096.</summary>
    public int BlockSize { get; init; } = 512;

    /// <summary>How doorbells get from the guest to the controller.</summary>
    public DoorbellKind Doorbells { get; init; } = DoorbellKind.Trapped;

    /// <summary>Whether drivers may keep doorbells in their memory, where they are trapped otherwise.</summary>
    public bool ShadowDoorbells { get; init; } = true;

    /// <summary>Threads that serve I/O queues; 0 for as many as there are queues or processors.</summary>
    public int Workers { get; init; }

    /// <summary>Commands that may wait for disks at one time.</summary>
    public int DiskThreads { get; init; } = 16;

    /// <summary>
    /// How long a thread looks for the next command of a guest that has one at a time, before it sleeps. Costs a core while
    /// such a guest is at work, and nothing when it is not.
    /// </summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMicroseconds(400);

    /// <summary>How long a thread pauses between two looks while a guest has several commands under way.</summary>
    public TimeSpan Nap { get; init; } = TimeSpan.FromMicroseconds(50);

    /// <summary>Told when the guest has made the controller fail, in one line. Any thread.</summary>
    public Action<string>? Log { get; init; }

    internal int WorkerCount => Workers > 0 ? Math.Min(Workers, IoQueues) : Math.Min(IoQueues, Environment.ProcessorCount);

    internal void Check()
    {
        if (IoQueues is < 1 or > MaxIoQueues)
            throw new ArgumentException($"A controller has 1 to {MaxIoQueues} I/O queue pairs, not {IoQueues}.");
        if (QueueEntries is < 2 or > 4096)
            throw new ArgumentException($"A queue has 2 to 4096 entries, not {QueueEntries}.");
        if (BlockSize is not (512 or 4096))
            throw new ArgumentException($"A block has 512 or 4096 bytes, not {BlockSize}.");
        if (SerialNumber.Length > 20 || ModelNumber.Length > 40)
            throw new ArgumentException("A serial number has at most 20 characters, a model number 40.");
        if (DiskThreads is < 1 or > 256)
            throw new ArgumentException($"There are 1 to 256 threads for disks, not {DiskThreads}.");
    }
}
