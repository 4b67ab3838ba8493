using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>Numbers and fields of Ethernet frames. IEEE 802.3 3, 802.1Q 9.</summary>
/// <remarks>Any thread. Lengths and offsets in bytes, from the destination's address, without the check sequence.</remarks>
public static class Ethernet
{
    /// <summary>Of an address.</summary>
    public const int AddressLength = 6;

    /// <summary>Of the header: two addresses and the type.</summary>
    public const int HeaderLength = 14;

    /// <summary>Where the type is.</summary>
    public const int TypeOffset = 12;

    /// <summary>Of a VLAN tag: its type, and the tag control information.</summary>
    public const int VlanTagLength = 4;

    /// <summary>Of the check sequence (FCS) after a frame.</summary>
    public const int CheckSequenceLength = 4;

    /// <summary>The shortest frame on a cable; shorter ones are padded with zeros.</summary>
    public const int MinLength = 60;

    /// <summary>The longest frame without a tag that every device takes; longer ones are jumbo frames.</summary>
    public const int MaxLength = 1514;

    /// <summary>Type of a VLAN tag.</summary>
    public const ushort VlanTag = 0x8100;

    /// <summary>Type of a service VLAN tag, which is before another one. 802.1Q 9.5.</summary>
    public const ushort ServiceTag = 0x88A8;

    /// <summary>Type of IPv4.</summary>
    public const ushort IPv4 = 0x0800;

    /// <summary>Type of IPv6.</summary>
    public const ushort IPv6 = 0x86DD;

    private const int MostTags = 2;

    /// <summary>Whether an address is a group's: multicast or broadcast.</summary>
    /// <param name="address">At least the first byte of an address or a frame.</param>
    public static bool IsGroup(ReadOnlySpan<byte> address) => (address[0] & 1) != 0;

    /// <summary>Whether an address is that of all.</summary>
    /// <param name="address">At least the six bytes of an address, or a frame.</param>
    public static bool IsBroadcast(ReadOnlySpan<byte> address) => address[..AddressLength].IndexOfAnyExcept((byte)0xFF) < 0;

    /// <summary>The type of what a frame carries, behind up to two VLAN tags.</summary>
    /// <param name="frame">At least a header.</param>
    /// <param name="offset">Where the payload begins; at most the length of the frame.</param>
    public static ushort TypeOf(ReadOnlySpan<byte> frame, out int offset)
    {
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[TypeOffset..]);
        offset = HeaderLength;
        for (int i = 0; i < MostTags && type is VlanTag or ServiceTag && frame.Length >= offset + VlanTagLength; i++)
        {
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + VlanTagLength - sizeof(ushort))..]);
            offset += VlanTagLength;
        }
        return type;
    }

    /// <summary>The outer VLAN tag of a frame.</summary>
    /// <param name="frame">Any bytes.</param>
    /// <param name="protocol">Tag protocol identifier of the tags that are meant.</param>
    /// <param name="tag">Tag control information: priority, drop eligibility and, in the low 12 bits, the VLAN; 0 without a tag.</param>
    /// <returns>Whether it has one.</returns>
    public static bool TryGetVlanTag(ReadOnlySpan<byte> frame, ushort protocol, out ushort tag)
    {
        tag = 0;
        if (frame.Length < HeaderLength + VlanTagLength || BinaryPrimitives.ReadUInt16BigEndian(frame[TypeOffset..]) != protocol)
            return false;
        tag = BinaryPrimitives.ReadUInt16BigEndian(frame[HeaderLength..]);
        return true;
    }

    internal static void WriteVlanTag(Span<byte> frame, ushort protocol, ushort tag)
    {
        BinaryPrimitives.WriteUInt16BigEndian(frame[TypeOffset..], protocol);
        BinaryPrimitives.WriteUInt16BigEndian(frame[HeaderLength..], tag);
    }

    internal static ulong KeyOf(ReadOnlySpan<byte> address) =>
        (ulong)BinaryPrimitives.ReadUInt16BigEndian(address) << 32 | BinaryPrimitives.ReadUInt32BigEndian(address[2..]);
}
