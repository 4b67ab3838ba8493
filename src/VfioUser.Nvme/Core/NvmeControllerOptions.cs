namespace VfioUser.Nvme;

/// <summary>Options for a controller. Immutable.</summary>
public sealed record NvmeControllerOptions
{
    /// <summary>Most I/O queue pairs that a controller can have.</summary>
    public const int MaxIoQueues = 64;

    /// <summary>Most namespaces that a controller can have.</summary>
    public const int MaxNamespaces = 1024;

    // those above are reserved
    private const ushort MaxControllerId = 0xFFEF;

    /// <summary>CNTLID. Controllers of one subsystem have different ones, in whatever processes they are. Null for the lowest that none of the
    /// subsystem in this process has: 0 for one alone.</summary>
    public ushort? ControllerId { get; init; }

    /// <summary>Serial number, by which the guest tells controllers apart; up to 20 ASCII characters. Null for one that follows
    /// from the first disk. In a subsystem, this, the model number, block size and <see cref="Namespaces"/> are those of
    /// <see cref="NvmeSubsystemOptions"/>.</summary>
    public string? SerialNumber { get; init; }

    /// <summary>Model number; up to 40 ASCII characters.</summary>
    public string ModelNumber { get; init; } = "VfioUser NVMe";

    /// <summary>I/O queue pairs that the guest may create, from 1 to 64; each has an interrupt vector.</summary>
    public int IoQueues { get; init; } = 4;

    /// <summary>Entries that a queue may have, from 2 to 4096.</summary>
    public int QueueEntries { get; init; } = 1024;

    /// <summary>Bytes in a logical block: 512 or 4096.</summary>
    public int BlockSize { get; init; } = 512;

    /// <summary>The largest number that a namespace can have, and so how many there can be, from 1 to 1024. Firmware asks for each of them.</summary>
    public int Namespaces { get; init; } = 16;

    /// <summary>How doorbells get from the guest to the controller.</summary>
    public NvmeDoorbellKind Doorbells { get; init; } = NvmeDoorbellKind.Trapped;

    /// <summary>Whether drivers may use shadow doorbells in guest memory in place of trapped ones.</summary>
    public bool ShadowDoorbells { get; init; } = true;

    /// <summary>Threads that serve I/O queues; 0 for as many as there are queues or processors.</summary>
    public int Workers { get; init; }

    /// <summary>Threads for disks that block: as many accesses may block at the same time; from 1 to 256.</summary>
    public int DiskThreads { get; init; } = 16;

    /// <summary>Most commands that may wait for disks at the same time, blocked or not, from 1 to 65536. More stay in the guest's
    /// queues. Each has a buffer for its data, so it bounds the memory that a guest can make the controller take: 512 KiB a command, and
    /// 1 MiB while it is compared.</summary>
    public int DiskCommands { get; init; } = 256;

    /// <summary>
    /// How long a thread polls at most for the next command of a guest that has one command at a time, before it sleeps. Takes a
    /// whole processor while such a guest is busy, and none while it is idle.
    /// </summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMicroseconds(400);

    /// <summary>Whether it polls for all of <see cref="Spin"/> each time. By default it polls for less where the guest's commands come
    /// sooner, and not at all where they come later.</summary>
    public bool IsSpinFixed { get; init; }

    /// <summary>How long a thread pauses between two polls while a guest has several commands in flight.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMicroseconds(50);

    internal int WorkerCount => Workers > 0 ? Math.Min(Workers, IoQueues) : Math.Min(IoQueues, Environment.ProcessorCount);

    internal void Check()
    {
        if (IoQueues is < 1 or > MaxIoQueues)
            throw new ArgumentException($"A controller has 1 to {MaxIoQueues} I/O queue pairs, not {IoQueues}.");
        if (QueueEntries is < 2 or > 4096)
            throw new ArgumentException($"A queue has 2 to 4096 entries, not {QueueEntries}.");
        if (BlockSize is not (512 or 4096))
            throw new ArgumentException($"A block has 512 or 4096 bytes, not {BlockSize}.");
        if (Namespaces is < 1 or > MaxNamespaces)
            throw new ArgumentException($"A controller has room for 1 to {MaxNamespaces} namespaces, not {Namespaces}.");
        if (SerialNumber?.Length > 20 || ModelNumber.Length > 40)
            throw new ArgumentException("A serial number has at most 20 characters, a model number 40.");
        if (ControllerId > MaxControllerId)
            throw new ArgumentException($"The id of a controller is up to {MaxControllerId}, not {ControllerId}.");
        if (DiskThreads is < 1 or > 256)
            throw new ArgumentException($"There are 1 to 256 threads for disks, not {DiskThreads}.");
        if (DiskCommands is < 1 or > 65_536)
            throw new ArgumentException($"1 to 65536 commands may wait for disks, not {DiskCommands}.");
    }
}
