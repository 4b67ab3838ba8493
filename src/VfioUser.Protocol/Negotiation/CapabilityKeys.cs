namespace VfioUser.Protocol;

/// <summary>Keys of the capabilities object of a version message.</summary>
/// <remarks>Spec: VFIO_USER_VERSION. The values never leave the process.</remarks>
[Flags]
public enum CapabilityKeys
{
    /// <summary>No key: an empty object.</summary>
    None = 0,

    /// <summary><c>max_msg_fds</c>.</summary>
    MaxMessageFds = 0x1,

    /// <summary><c>max_data_xfer_size</c>.</summary>
    MaxDataTransferSize = 0x2,

    /// <summary><c>max_dma_maps</c>.</summary>
    MaxDmaMaps = 0x4,

    /// <summary><c>pgsizes</c>.</summary>
    PageSizes = 0x8,

    /// <summary><c>write_multiple</c>.</summary>
    WriteMultiple = 0x10,

    /// <summary><c>twin_socket</c>.</summary>
    TwinSocket = 0x20,

    /// <summary><c>migration</c>.</summary>
    Migration = 0x40,
}
