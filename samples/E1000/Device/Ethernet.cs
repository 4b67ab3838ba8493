using System.Buffers.Binary;

namespace E1000.Device;

/// <summary>Numbers and fields of Ethernet frames. IEEE 802.3 3, 802.1Q 9.</summary>
internal static class Ethernet
{
    public const int HeaderLength = 14;
    public const int TypeOffset = 12;
    public const int TagLength = 4;
    public const int CheckSequenceLength = 4;

    /// <summary>The shortest frame, and the longest one that is not a jumbo frame. Without check sequence; the latter with a tag.</summary>
    public const int MinLength = 60;
    public const int MaxLength = 1518;

    /// <summary>The longest one that this card sends or receives, without check sequence.</summary>
    public const int MaxJumboLength = 16_380;

    public static bool IsGroup(ReadOnlySpan<byte> address) => (address[0] & 1) != 0;

    public static bool IsBroadcast(ReadOnlySpan<byte> address) => address[..6].IndexOfAnyExcept((byte)0xFF) < 0;

    public static ushort TypeOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt16BigEndian(frame[TypeOffset..]);
}
