using System.Runtime.InteropServices;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>A transmit descriptor of any kind. Manual 3.3.3 (legacy), 3.3.6 (context), 3.3.7 (data).</summary>
/// <remarks>
/// <code>
///          63        48 47    40 39    32 31    24 23  20 19      16 15         0
/// legacy   address of the data
///          special      CSS      status   command  CSO                 length
/// data     address of the data
///          special      options  status   command  1      length
/// context  TUCSE        TUCSO    TUCSS    IPCSE                  IPCSO    IPCSS
///          MSS          HDRLEN   status   command  0      length of the payload
/// </code>
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal readonly struct TransmitDescriptor
{
    /// <summary>From its beginning to the bytes that the card writes back.</summary>
    public const ulong StatusOffset = 12;

    [FieldOffset(0)]
    public readonly ulong Address;

    [FieldOffset(8)]
    private readonly uint _lower;

    [FieldOffset(12)]
    public readonly uint Upper;

    public bool IsLegacy => !Has(TransmitCommand.Extended);

    public bool IsContext => Has(TransmitCommand.Extended) && Type == 0;

    public bool IsData => Has(TransmitCommand.Extended) && Type == 1;

    public int Length => (int)(IsLegacy ? _lower & 0xFFFF : _lower & 0xFFFFF);

    public ushort VlanTag => (ushort)(Upper >> 16);

    // legacy
    public bool InsertsChecksum => IsLegacy && Has(TransmitCommand.Segment);

    public int ChecksumOffset => (byte)(_lower >> 16);

    public int ChecksumStart => (byte)(Upper >> 8);

    // data
    public bool IsSegmented => IsData && Has(TransmitCommand.Segment);

    public bool InsertsIpChecksum => IsData && (Upper & 1 << 8) != 0;

    public bool InsertsTcpChecksum => IsData && (Upper & 1 << 9) != 0;

    // context
    public ChecksumRange Ip => new((byte)Address, (byte)(Address >> 8), (ushort)(Address >> 16));

    public ChecksumRange Tcp => new((byte)(Address >> 32), (byte)(Address >> 40), (ushort)(Address >> 48));

    /// <summary>How the packet is cut; not at all if it is UDP, which no driver asks for. Manual 3.5.</summary>
    public FrameOffload Offload => new()
    {
        NeedsChecksum = true,
        ChecksumStart = Tcp.Start,
        ChecksumOffset = Tcp.Offset - Tcp.Start,
        HeaderLength = (byte)(Upper >> 8),
        SegmentSize = (ushort)(Upper >> 16),
        Segmentation = !Has((TransmitCommand)ContextCommand.Tcp) ? FrameSegmentation.None
            : Has((TransmitCommand)ContextCommand.Ipv4) ? FrameSegmentation.TcpOverIPv4 : FrameSegmentation.TcpOverIPv6,
    };

    private uint Type => _lower >> 20 & 0xF;

    public bool Has(TransmitCommand command) => ((TransmitCommand)(_lower >> 24) & command) != 0;
}
