namespace VfioUser.Testing.Linux;

/// <summary>Whether a machine has an IOMMU (Intel's, with caching mode), and what its Linux does with it.</summary>
public enum MachineIommu
{
    /// <summary>There is none: all of the machine's memory is mapped from the beginning.</summary>
    None,

    /// <summary>Each page is mapped for as long as it is in use.</summary>
    Strict,

    /// <summary>Devices see memory as it is, until they are given to vfio-pci or another domain.</summary>
    Passthrough,
}
