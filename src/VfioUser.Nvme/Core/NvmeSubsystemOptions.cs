namespace VfioUser.Nvme;

/// <summary>What all controllers of a subsystem have in common. Immutable.</summary>
public sealed record NvmeSubsystemOptions
{
    /// <summary>Names the subsystem and its namespaces: two subsystems of one serial number are one to a host, with the same disks. Up to
    /// 20 ASCII characters. Null for one that follows from the first disk.</summary>
    public string? SerialNumber { get; init; }

    /// <summary>Model number; up to 40 ASCII characters.</summary>
    public string ModelNumber { get; init; } = "VfioUser NVMe";

    /// <summary>Bytes in a logical block: 512 or 4096.</summary>
    public int BlockSize { get; init; } = 512;

    /// <summary>The largest number that a namespace can have, and so how many there can be, from 1 to 1024.</summary>
    public int Namespaces { get; init; } = 16;

    internal void Check()
    {
        if (BlockSize is not (512 or 4096))
            throw new ArgumentException($"A block has 512 or 4096 bytes, not {BlockSize}.");
        if (Namespaces is < 1 or > NvmeControllerOptions.MaxNamespaces)
            throw new ArgumentException($"A controller has room for 1 to {NvmeControllerOptions.MaxNamespaces} namespaces, not {Namespaces}.");
        if (SerialNumber?.Length > 20 || ModelNumber.Length > 40)
            throw new ArgumentException("A serial number has at most 20 characters, a model number 40.");
    }

    internal string SerialNumberFor(IReadOnlyList<NvmeNamespace> namespaces) =>
        SerialNumber ?? DiskNames.SerialNumberOf(namespaces.Count > 0 ? namespaces[0].Disk.Identity : Guid.NewGuid().ToString());
}
