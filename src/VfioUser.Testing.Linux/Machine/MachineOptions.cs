namespace VfioUser.Testing.Linux;

/// <summary>What a machine is started with. Immutable.</summary>
internal sealed record MachineOptions
{
    private readonly GuestFolder? _folder;

    /// <summary>Where QEMU and the kernel are from; that which is installed, unless it is set.</summary>
    public GuestFolder Folder
    {
        get => _folder ?? GuestFolder.Installed;
        init => _folder = value;
    }

    /// <summary>What QEMU loads; null where the firmware finds it on a disk.</summary>
    public Initramfs? Guest { get; init; }

    /// <summary>A kernel in place of the folder's; null for that one.</summary>
    public string? Kernel { get; init; }

    /// <summary>Of the vfio-user devices that it has from the beginning.</summary>
    public IReadOnlyList<string> SocketPaths { get; init; } = [];

    /// <summary>Where its monitor listens; null for none.</summary>
    public string? QmpPath { get; init; }

    /// <summary>Whether QEMU's console is a terminal, with Ctrl-A X and QEMU's other keys, and not a pipe.</summary>
    public bool HasTerminal { get; init; }

    /// <summary>Whether QEMU waits for the reply to each of the guest's writes to a BAR.</summary>
    public bool WaitsForWrites { get; init; }

    /// <summary>What its memory is made of.</summary>
    public MachineMemory Memory { get; init; } = MachineMemory.SealedMemfd;

    /// <summary>In MiB. Half of it is the root's, and that of the NVMe guests has more than 64.</summary>
    public int MemorySize { get; init; } = 512;

    /// <summary>Whether it has an IOMMU.</summary>
    public MachineIommu Iommu { get; init; } = MachineIommu.None;

    /// <summary>How long the guest may take to boot.</summary>
    public TimeSpan BootTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>More for the kernel's command line, where QEMU loads the kernel.</summary>
    public string KernelArguments { get; init; } = "";

    /// <summary>More for QEMU's command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}
