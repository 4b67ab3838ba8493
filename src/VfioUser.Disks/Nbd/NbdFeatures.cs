namespace VfioUser.Disks;

/// <summary>Transmission flags: what an export is, and what its server can do.</summary>
[Flags]
internal enum NbdFeatures : ushort
{
    None = 0,
    HasFlags = 1 << 0,
    ReadOnly = 1 << 1,
    Flush = 1 << 2,
    ForceUnitAccess = 1 << 3,
    Rotational = 1 << 4,
    Trim = 1 << 5,
    WriteZeroes = 1 << 6,
}
