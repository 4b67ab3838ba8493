namespace VfioUser.Disks;

/// <summary>What is done with an image.</summary>
internal enum RbdAccess
{
    Read,
    Write,
    Discard,

    /// <summary>Zeros, whose objects may be freed.</summary>
    Zero,

    /// <summary>Zeros that are written.</summary>
    ZeroAllocated,

    Flush,
}
