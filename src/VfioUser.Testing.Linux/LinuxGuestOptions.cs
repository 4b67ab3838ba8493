namespace VfioUser.Testing.Linux;

/// <summary>What a Linux guest is made of, and what it is given. Immutable.</summary>
public sealed record LinuxGuestOptions
{
    /// <summary>Devices that are served by this process for as long as the guest runs, and plugged into it. They stay the caller's.</summary>
    public IReadOnlyList<PciDevice> Devices { get; init; } = [];

    /// <summary>Sockets of servers, of this library or another, whose devices are plugged into it: paths, or <c>@name</c> for abstract
    /// ones.</summary>
    public IReadOnlyList<string> Sockets { get; init; } = [];

    /// <summary>Kernel modules that are loaded at boot, in order, with those that they need: names of Debian's, or, with a slash, files.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>Programs beside busybox: names, such as <c>lspci</c>, <c>fio</c>, <c>nvme</c> or <c>python3</c>; names of Debian packages, which
    /// are fetched; or, with a slash, programs of this host, which come with the libraries that they are linked to.</summary>
    public IReadOnlyList<string> Programs { get; init; } = [];

    /// <summary>Files of this host that the guest has in <c>/files</c>.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>A kernel (bzImage) in place of Debian's, for whose modules <see cref="Modules"/> has files only; null for Debian's.</summary>
    public string? Kernel { get; init; }

    /// <summary>More for the kernel's command line.</summary>
    public string KernelArguments { get; init; } = "";

    /// <summary>More for QEMU's command line.</summary>
    public IReadOnlyList<string> QemuArguments { get; init; } = [];

    /// <summary>What the guest's memory is made of, and with that how devices access it.</summary>
    public MachineMemory Memory { get; init; } = MachineMemory.SealedMemfd;

    /// <summary>Size of the guest's memory in MiB, half of which its files may take; at least 128.</summary>
    public int MemorySize { get; init; } = 512;

    /// <summary>Whether the guest has an IOMMU.</summary>
    public MachineIommu Iommu { get; init; } = MachineIommu.None;

    /// <summary>How long the guest may take to boot: a few seconds on an idle host.</summary>
    public TimeSpan BootTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a command may take that is given no time of its own.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Whether QEMU, the guest and packages are fetched when they are not there: half a gigabyte, once a host. False to fail
    /// instead.</summary>
    public bool Fetch { get; init; } = true;

    /// <summary>Gets a line for each part that is fetched. Any thread.</summary>
    public Action<string>? Progress { get; init; }

    /// <summary>Options of the servers of <see cref="Devices"/>. Their exception hook is called, too.</summary>
    public VfioUserServerOptions Server { get; init; } = new();

    /// <summary>Whether Dispose throws for an exception of a device that <see cref="LinuxGuest.AcceptDeviceExceptions"/> has not given.</summary>
    public bool FailOnDeviceException { get; init; } = true;

    internal MachineOptions Machine(GuestFolder folder, IEnumerable<string> served) => new()
    {
        Folder = folder,
        Guest = Initramfs(),
        Kernel = Kernel,
        KernelArguments = KernelArguments,
        Arguments = QemuArguments,
        SocketPaths = [.. served, .. Sockets],
        Memory = Memory,
        MemorySize = MemorySize,
        Iommu = Iommu,
        BootTimeout = BootTimeout,
    };

    internal Initramfs Initramfs() => new(Modules, Programs, () => Files);

    /// <exception cref="InvalidOperationException">They contradict themselves.</exception>
    internal void Check()
    {
        if (MemorySize < 128)
            throw new InvalidOperationException($"The guest needs 128 MiB of memory, and {nameof(MemorySize)} is {MemorySize}.");
        if (Kernel is not null && !File.Exists(Kernel))
            throw new InvalidOperationException($"There is no kernel {Kernel}.");
        if (Kernel is not null && Modules.FirstOrDefault(module => !module.Contains('/', StringComparison.Ordinal)) is { } name)
            throw new InvalidOperationException($"The module '{name}' is of Debian's kernel, and another is booted: give the file of a module for that one.");
    }
}
