namespace VfioUser.Nvme;

/// <summary>A disk, and how the guest sees it. Immutable.</summary>
/// <param name="Disk">The bytes.</param>
public sealed record NvmeNamespace(Disk Disk)
{
    /// <summary>Bytes in a logical block: 512 or 4096, and no less than <see cref="DiskHints.BlockSize"/>. Null for
    /// <see cref="NvmeControllerOptions.BlockSize"/>.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Its number, from 1 to <see cref="NvmeControllerOptions.Namespaces"/>. Null for the lowest that is free. A driver that has
    /// not noticed yet that the last namespace of a number has gone may take the next one for it: then it is not the lowest.</summary>
    public uint? Id { get; init; }

    /// <summary>Whether the driver sees it at once, and not only when it is attached: by <see cref="NvmeController.AttachNamespace"/>, or
    /// by the driver's Namespace Attachment.</summary>
    public bool IsAttached { get; init; } = true;

    /// <summary>How much the guest may do in a second; null for no limit. See <see cref="NvmeController.SetRateLimit"/>.</summary>
    public NvmeRateLimit? RateLimit { get; init; }

    /// <summary>Its ANA group, from 1 to 16: <see cref="NvmeController.SetAnaState"/> is about all namespaces of a group.</summary>
    public uint AnaGroup { get; init; } = 1;

    /// <summary>Whether the controller refuses writes, even if the disk would take them.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>The file that keeps reservations while there is no program, if a driver wants it (Persist Through Power Loss). It is
    /// made when it is needed, has 16 KiB, and belongs to this disk alone. Null if reservations end with the program: a driver that wants more is refused. In an
    /// <see cref="NvmeSubsystem"/> only.</summary>
    public string? ReservationPath { get; init; }

    internal void Check()
    {
        RateLimit?.Check();
        if (!AnaGroups.IsValid(AnaGroup))
            throw new ArgumentException($"An ANA group has a number from 1 to {AnaGroups.Count}, not {AnaGroup}.");
    }
}
