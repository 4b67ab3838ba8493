namespace VfioUser;

/// <summary>What a device does with guest memory that it pins.</summary>
public enum DmaPinAccess
{
    /// <summary>It reads.</summary>
    Read,

    /// <summary>It writes, and does not read: the memory need not be readable for it. What is not overwritten stays as it is.</summary>
    Write,

    /// <summary>It reads and writes.</summary>
    ReadWrite,
}
