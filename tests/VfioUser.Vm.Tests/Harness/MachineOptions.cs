namespace VfioUser.Vm.Tests.Harness;

/// <summary>What a machine is started with. Immutable.</summary>
internal sealed record MachineOptions
{
    /// <summary>What QEMU loads; null where the firmware finds it on a disk.</summary>
    public Initramfs? Guest { get; init; }

    /// <summary>Of the vfio-user device that it has from the beginning; null for none.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Where its monitor listens; null for none.</summary>
    public string? QmpPath { get; init; }

    /// <summary>More for QEMU's command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}
