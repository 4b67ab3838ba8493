namespace VfioUser;

/// <summary>Address space, width and prefetchability of a base address register.</summary>
/// <remarks>Immutable. PCI 3.0 6.2.5.1.</remarks>
public enum BarKind
{
    /// <summary>Memory below 4 GiB. 16 bytes to 2 GiB.</summary>
    Memory32,

    /// <summary>Memory anywhere. 16 bytes or more; occupies the next register too.</summary>
    Memory64,

    /// <summary>Memory below 4 GiB that may be read ahead and whose writes may be merged: reading has no side effects.</summary>
    Memory32Prefetchable,

    /// <summary>Memory anywhere without side effects on reading; occupies the next register too.</summary>
    Memory64Prefetchable,

    /// <summary>I/O space. 4 bytes to 64 KiB; the specification recommends 256 bytes at most.</summary>
    Io,
}
