namespace VfioUser.Disks;

/// <summary>Numbers of the NBD protocol, all of them big-endian. doc/proto.md of NetworkBlockDevice/nbd.</summary>
internal static class NbdProtocol
{
    // "Fixed newstyle negotiation"
    public const ulong ServerMagic = 0x4E42_444D_4147_4943;
    public const ulong OptionMagic = 0x4948_4156_454F_5054;
    public const ulong OptionReplyMagic = 0x0003_E889_0455_65A9;
    public const ushort FixedNewstyle = 1 << 0;
    public const ushort NoZeroes = 1 << 1;
    public const uint OptionExportName = 1;
    public const uint OptionAbort = 2;
    public const uint OptionGo = 7;
    public const uint OptionStructuredReply = 8;
    public const uint ReplyAck = 1;
    public const uint ReplyInfo = 3;
    public const uint ReplyError = 1u << 31;
    public const uint ErrorUnsupported = ReplyError | 1;
    public const ushort InfoExport = 0;
    public const ushort InfoBlockSize = 3;

    // "Transmission"
    public const uint RequestMagic = 0x2560_9513;
    public const uint SimpleReplyMagic = 0x6744_6698;
    public const uint StructuredReplyMagic = 0x668E_33EF;
    public const int RequestLength = 28;
    public const ushort ForceUnitAccess = 1 << 0; // command flags
    public const ushort NoHole = 1 << 1;
    public const ushort ChunkDone = 1 << 0; // flag of a chunk
    public const ushort ChunkNone = 0;
    public const ushort ChunkOffsetData = 1;
    public const ushort ChunkOffsetHole = 2;
    public const ushort ChunkIsError = 1 << 15;

    // "Error values"
    public const uint NotPermitted = 1;
    public const uint NoMemory = 12;
    public const uint NoSpace = 28;
    public const uint Shutdown = 108;
}
