using System.Globalization;
using System.Text.Json.Nodes;

namespace VfioUser.Testing.Linux;

/// <summary>The command line of a guest.</summary>
internal static class QemuArguments
{
    /// <summary>For the kernel, whoever loads it. A guest that dies stays where it is: a reboot would hide it behind a time-out.
    /// On a busy host QEMU's timer is late, and the kernel would take it for broken.</summary>
    public const string KernelArguments = "console=ttyS0 quiet oops=panic panic=0 no_timer_check";

    // TCG works everywhere; where KVM is itself emulated, guests hang at boot.
    private static readonly string Accelerator = Environment.GetEnvironmentVariable("VFIO_USER_VM_ACCEL") is { Length: > 0 } name ? name : "tcg";

    // such as OVMF's, in place of SeaBIOS
    private static readonly string? Firmware = Environment.GetEnvironmentVariable("VFIO_USER_VM_FIRMWARE") is { Length: > 0 } path ? path : null;

    public static IEnumerable<string> Of(MachineOptions options) =>
    [
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
        "-chardev", $"stdio,id=console,signal=off{(options.HasTerminal ? ",mux=on" : "")}", "-serial", "chardev:console",
        .. options.HasTerminal ? new[] { "-mon", "chardev=console" } : [],
        "-machine", $"q35,accel={Accelerator},memory-backend=ram{(options.Iommu == MachineIommu.None ? "" : ",kernel-irqchip=split")}",
        "-cpu", "max", "-m", string.Create(CultureInfo.InvariantCulture, $"size={options.MemorySize}M,slots=4,maxmem={Math.Max(2, options.MemorySize / 1024 + 1)}G"),
        "-object", MemoryObject(options.Memory, "ram", options.MemorySize).ToJsonString(),
        .. Firmware is null ? [] : new[] { "-bios", Firmware },
        .. options.Guest is null ? [] : new[] { "-kernel", options.Kernel ?? options.Folder.Kernel, "-initrd", options.Guest.Build(options.Folder), "-append", KernelCommandLine(options) },
        // before the devices that it is for
        .. options.Iommu == MachineIommu.None ? [] : new[] { "-device", "intel-iommu,intremap=on,caching-mode=on" },
        .. options.SocketPaths.SelectMany(path => new[] { "-device", Device(path, options.WaitsForWrites).ToJsonString() }),
        .. options.QmpPath is null ? [] : new[] { "-qmp", $"unix:{options.QmpPath},server=on,wait=off" },
        .. options.Arguments,
    ];

    /// <summary>The kernel's command line of a machine whose kernel QEMU loads.</summary>
    public static string KernelCommandLine(MachineOptions options) => string.Join(' ', new[]
    {
        KernelArguments,
        options.Iommu switch
        {
            MachineIommu.Strict => "intel_iommu=on iommu.strict=1",
            MachineIommu.Passthrough => "intel_iommu=on iommu=pt",
            _ => "",
        },
        options.KernelArguments,
    }.Where(part => part.Length > 0));

    /// <summary>An object for memory, as QEMU's command line and its monitor take it.</summary>
    /// <param name="kind">What it is made of.</param>
    /// <param name="id">Its name.</param>
    /// <param name="size">In MiB.</param>
    public static JsonObject MemoryObject(MachineMemory kind, string id, int size)
    {
        JsonObject memory = new()
        {
            ["qom-type"] = kind switch
            {
                MachineMemory.TmpfsFile => "memory-backend-file",
                MachineMemory.NotShared => "memory-backend-ram",
                _ => "memory-backend-memfd",
            },
            ["id"] = id,
            ["size"] = (long)size << 20,
            // without it the server gets no descriptors for guest memory
            ["share"] = kind != MachineMemory.NotShared,
        };
        if (kind is MachineMemory.UnsealedMemfd or MachineMemory.HugePages)
        {
            memory["seal"] = false;
        }

        if (kind == MachineMemory.HugePages)
        {
            memory["hugetlb"] = true;
        }

        if (kind == MachineMemory.TmpfsFile)
        {
            memory["mem-path"] = "/dev/shm";
        }

        return memory;
    }

    /// <summary>The device that is served on a socket, as QEMU's command line and its monitor take it.</summary>
    /// <param name="socketPath">Where it is served: a path, or <c>@name</c>.</param>
    /// <param name="waitsForWrites">Whether QEMU waits for the reply to each write.</param>
    public static JsonObject Device(string socketPath, bool waitsForWrites) => new()
    {
        ["driver"] = "vfio-user-pci",
        ["socket"] = socketPath is ['@', .. string name]
            ? new JsonObject { ["type"] = "unix", ["path"] = name, ["abstract"] = true }
            : new JsonObject { ["type"] = "unix", ["path"] = Path.GetFullPath(socketPath) },
        ["x-no-posted-writes"] = waitsForWrites,
    };
}
