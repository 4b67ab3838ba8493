namespace VfioUser.Protocol;

/// <summary>Limits and defaults that both sides of the protocol keep to.</summary>
public static class ProtocolLimits
{
    /// <summary>Default of <c>max_data_xfer_size</c>, and what this library announces: bytes of data in one transfer, 1 MiB.</summary>
    public const int MaxDataTransferSize = 1 << 20;

    /// <summary>
    /// Bytes of the longest message that this library accepts, header included. A transfer of
    /// <see cref="MaxDataTransferSize"/> needs 32 more: the header and <see cref="RegionAccess"/> or <see cref="DmaAccess"/>.
    /// The rest of the page is slack for payloads that put more in front of their data.
    /// </summary>
    public const int MaxMessageSize = MaxDataTransferSize + 4096;

    /// <summary>Bytes of the longest bitmap of dirty pages in one reply that this library sends, asks for and announces as
    /// <c>migration.max_bitmap_size</c>: 256 MiB, 8 TiB in pages of 4 KiB, as QEMU proposes.</summary>
    public const int MaxBitmapSize = 256 << 20;

    /// <summary>Bytes of JSON that a version message may carry, its NUL included: 64 KiB. QEMU sends about 200.</summary>
    public const int MaxVersionDataSize = 1 << 16;

    /// <summary>Descriptors that this library takes with one message, and sends with one at most; the number that QEMU announces.</summary>
    public const int MaxMessageFds = 16;

    /// <summary>Most descriptors that Linux passes in one <c>sendmsg</c> (SCM_MAX_FD).</summary>
    public const int MaxScmFds = 253;

    /// <summary>Default of <c>max_msg_fds</c>: one descriptor a message.</summary>
    public const int DefaultMaxMessageFds = 1;

    /// <summary>Default of <c>max_dma_maps</c>, and what this library announces: DMA regions mapped at one time.</summary>
    public const int MaxDmaMaps = 65535;

    /// <summary>Default of <c>pgsizes</c>, a set of powers of two with only this one in it: 4 KiB.</summary>
    public const int PageSize = 4096;

    /// <summary>Protocol major version spoken; any other is refused.</summary>
    public const ushort VersionMajor = 0;

    /// <summary>Highest protocol minor version spoken; lower ones are accepted.</summary>
    public const ushort VersionMinor = 1;
}
