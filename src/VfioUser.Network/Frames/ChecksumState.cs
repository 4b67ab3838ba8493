namespace VfioUser.Network;

/// <summary>What is known of a checksum.</summary>
public enum ChecksumState
{
    /// <summary>There is none, or none that is understood.</summary>
    None,

    /// <summary>It is right.</summary>
    Valid,

    /// <summary>It is not.</summary>
    Wrong,
}
