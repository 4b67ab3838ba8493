namespace VfioUser.Testing;

/// <summary>Selects accesses of the device to guest memory.</summary>
public enum DmaDirection
{
    /// <summary>All of them.</summary>
    Any,

    /// <summary>The device reads.</summary>
    Read,

    /// <summary>The device writes.</summary>
    Write,
}
