using System.CommandLine;
using VfioUser.Testing.Linux;

namespace VfioUser.Tool.Machines;

/// <summary>Options of a command that say what a guest consists of.</summary>
internal sealed class GuestArguments
{
    // drivers of devices that there are servers of; each binds to what it knows
    private static readonly string[] UsualModules =
        ["nvme", "virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio-rng", "e1000", "gpio-pci-idio-16"];

    private readonly Option<string[]> _with = new("--with")
    {
        Description = "A program for the guest: of a Debian package, by its name or the package's; or of this host, by a path with a slash",
    };

    private readonly Option<string[]> _module = new("--module")
    {
        Description = $"A kernel module to load: a name, or a file by a path with a slash. Without any: {string.Join(", ", UsualModules)}",
    };

    private readonly Option<string[]> _file = new("--file") { Description = "A file of this host that the guest gets in /files" };
    private readonly Option<string?> _kernel = new("--kernel") { Description = "A kernel (bzImage) in place of Debian's; modules are files then" };
    private readonly Option<string?> _append = new("--append") { Description = "More for the kernel's command line" };
    private readonly Option<bool> _iommu = new("--iommu") { Description = "An IOMMU, which maps each page for as long as it is in use" };

    private readonly Option<bool> _passthrough = new("--iommu-passthrough")
    {
        Description = "An IOMMU that translates only for devices that Linux gives away, to vfio-pci",
    };

    private readonly Option<bool> _noShare = new("--no-share")
    {
        Description = "Memory that servers cannot map: each access of a device is a message",
    };

    private readonly Option<int> _memory = new("--memory") { Description = "MiB of guest memory", DefaultValueFactory = _ => 512 };

    private GuestArguments()
    {
    }

    /// <summary>Adds them to a command.</summary>
    public static GuestArguments AddTo(Command command)
    {
        GuestArguments guest = new();
        foreach (Option option in new Option[]
        {
            guest._with, guest._module, guest._file, guest._kernel, guest._append, guest._iommu, guest._passthrough, guest._noShare, guest._memory,
        })
        {
            command.Add(option);
        }
        return guest;
    }

    /// <exception cref="ToolException">A file is not there.</exception>
    public LinuxGuestOptions Options(ParseResult parsed)
    {
        string? kernel = parsed.GetValue(_kernel);
        return new LinuxGuestOptions
        {
            Programs = [.. (parsed.GetValue(_with) ?? []).Append("lspci").Append("setpci").Distinct(StringComparer.Ordinal)],
            Modules = parsed.GetValue(_module) is { Length: > 0 } modules ? modules : kernel is null ? UsualModules : [],
            Files = [.. (parsed.GetValue(_file) ?? []).Select(ExistingFile)],
            Kernel = kernel is null ? null : ExistingFile(kernel),
            KernelArguments = parsed.GetValue(_append) ?? "",
            Iommu = parsed.GetValue(_passthrough) ? MachineIommu.Passthrough : parsed.GetValue(_iommu) ? MachineIommu.Strict : MachineIommu.None,
            Memory = parsed.GetValue(_noShare) ? MachineMemory.NotShared : MachineMemory.SealedMemfd,
            MemorySize = parsed.GetValue(_memory),
        };
    }

    /// <summary>The whole path of a file.</summary>
    /// <exception cref="ToolException">It is not there.</exception>
    public static string ExistingFile(string path) =>
        File.Exists(path) ? Path.GetFullPath(path) : throw new ToolException($"There is no file '{path}'.");
}
