namespace VfioUser.Testing;

/// <summary>Which of the device's accesses to guest memory.</summary>
public enum DmaDirection
{
    /// <summary>All of them.</summary>
    Any,

    /// <summary>The device reads.</summary>
    Read,

    /// <summary>The device writes.</summary>
    Write,
}
