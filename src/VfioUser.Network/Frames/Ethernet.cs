using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>Numbers and fields of Ethernet frames. IEEE 802.3 3, 802.1Q 9.</summary>
internal static class Ethernet
{
    public const int AddressLength = 6;
    public const int HeaderLength = 14;
    public const int TypeOffset = 12;
    public const int TagLength = 4;
    public const ushort Tag = 0x8100;
    public const ushort ServiceTag = 0x88A8;
    public const ushort IPv4 = 0x0800;
    public const ushort IPv6 = 0x86DD;

    private const int MostTags = 2;

    public static bool IsGroup(ReadOnlySpan<byte> address) => (address[0] & 1) != 0;

    public static bool IsBroadcast(ReadOnlySpan<byte> address) => address[..AddressLength].IndexOfAnyExcept((byte)0xFF) < 0;

    public static ulong KeyOf(ReadOnlySpan<byte> address) =>
        (ulong)BinaryPrimitives.ReadUInt16BigEndian(address) << 32 | BinaryPrimitives.ReadUInt32BigEndian(address[2..]);

    /// <summary>The type of what a frame carries, behind its VLAN tags.</summary>
    /// <param name="frame">At least a header.</param>
    /// <param name="offset">Where the payload begins; at most the length of the frame.</param>
    public static ushort TypeOf(ReadOnlySpan<byte> frame, out int offset)
    {
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[TypeOffset..]);
        offset = HeaderLength;
        for (int i = 0; i < MostTags && type is Tag or ServiceTag && frame.Length >= offset + TagLength; i++)
        {
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + TagLength - sizeof(ushort))..]);
            offset += TagLength;
        }
        return type;
    }
}
