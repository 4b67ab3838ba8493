using System.Buffers.Binary;

namespace E1000.Network;

/// <summary>The checksum of IP, TCP and UDP: the ones' complement sum of 16-bit words. RFC 1071.</summary>
internal static class InternetChecksum
{
    /// <summary>The sum of the words of some bytes, an odd one padded with a zero, and of a sum before.</summary>
    public static ushort Sum(ReadOnlySpan<byte> bytes, uint before = 0)
    {
        ulong sum = before;
        for (; bytes.Length >= sizeof(uint); bytes = bytes[sizeof(uint)..])
            sum += BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (bytes.Length >= 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length % 2 != 0)
            sum += (uint)bytes[^1] << 8;
        while (sum > ushort.MaxValue)
            sum = (sum >> 16) + (sum & ushort.MaxValue);
        return (ushort)sum;
    }

    /// <summary>What a card puts into a field for a sum. Zero would mean that there is no checksum.</summary>
    public static ushort Finish(ushort sum) => sum == ushort.MaxValue ? sum : (ushort)~sum;
}
