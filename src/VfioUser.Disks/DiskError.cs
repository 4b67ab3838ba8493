namespace VfioUser.Disks;

/// <summary>Why an access of a disk failed, and what the driver makes of it.</summary>
public enum DiskError
{
    /// <summary>The bytes are lost, or could not be written: Unrecovered Read Error or Write Fault.</summary>
    Media,

    /// <summary>There is no room for what is written: Capacity Exceeded. The driver does not try again.</summary>
    NoSpace,

    /// <summary>The bytes cannot be written: Namespace Is Write Protected.</summary>
    WriteProtected,

    /// <summary>The bytes are not what was written: Guard Check Error, which for encrypted disks is a failed authentication.</summary>
    Integrity,

    /// <summary>For now it cannot: Namespace Not Ready. The driver tries again.</summary>
    NotReady,
}
