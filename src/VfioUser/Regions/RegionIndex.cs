namespace VfioUser;

/// <summary>Indices of a device's regions: the nine of PCI have names. A <see cref="DeviceRegion"/> has one of the numbers from 9 on, in the
/// order of declaration. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_REGION_INDEX.</summary>
public enum RegionIndex
{
    /// <summary>Base address register 0.</summary>
    Bar0 = 0,

    /// <summary>Base address register 1.</summary>
    Bar1 = 1,

    /// <summary>Base address register 2.</summary>
    Bar2 = 2,

    /// <summary>Base address register 3.</summary>
    Bar3 = 3,

    /// <summary>Base address register 4.</summary>
    Bar4 = 4,

    /// <summary>Base address register 5.</summary>
    Bar5 = 5,

    /// <summary>Expansion ROM.</summary>
    Rom = 6,

    /// <summary>Configuration space.</summary>
    Config = 7,

    /// <summary>Legacy VGA: memory at offset 0xA0000, I/O ports at offsets 0x3B0 and 0x3C0.</summary>
    Vga = 8,
}
