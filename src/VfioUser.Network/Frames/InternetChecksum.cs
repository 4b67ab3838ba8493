using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace VfioUser.Network;

/// <summary>The checksum of IP, TCP and UDP: the ones' complement sum of 16-bit words.</summary>
/// <remarks>RFC 1071.</remarks>
public static class InternetChecksum
{
    /// <summary>The sum of the words of some bytes, an odd one padded with a zero, and of a sum before.</summary>
    /// <param name="bytes">In network order.</param>
    /// <param name="before">A sum of other words, or several, added up.</param>
    public static ushort Sum(ReadOnlySpan<byte> bytes, uint before = 0)
    {
        // in the machine's order: the sum is turned once, in place of each word
        ulong sum = 0;
        foreach (uint word in MemoryMarshal.Cast<byte, uint>(bytes))
            sum += word;
        bytes = bytes[(bytes.Length & ~3)..];
        if (bytes.Length >= sizeof(ushort))
        {
            sum += MemoryMarshal.Read<ushort>(bytes);
            bytes = bytes[sizeof(ushort)..];
        }
        if (bytes.Length > 0)
            sum += BitConverter.IsLittleEndian ? bytes[0] : (uint)bytes[0] << 8;
        ushort own = Fold(sum);
        return Fold((ulong)(BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(own) : own) + before);
    }

    /// <summary>What goes into the field for a sum. Zero would mean that there is no checksum, and is written as all ones.</summary>
    public static ushort Finish(ushort sum) => sum == ushort.MaxValue ? sum : (ushort)~sum;

    /// <summary>Puts the checksum of some bytes of a frame into it, as a driver has asked for that leaves this to its device.</summary>
    /// <param name="frame">All of it.</param>
    /// <param name="start">First byte that it is of.</param>
    /// <param name="end">The byte after the last one that it is of; anything beyond the frame for its end.</param>
    /// <param name="offset">Where it goes, relative to the frame. What is there, such as the sum of a pseudo header, counts if it is one of
    /// the bytes.</param>
    /// <returns>False, with the frame as it was, if these are no bytes of the frame.</returns>
    public static bool TryInsert(Span<byte> frame, int start, int end, int offset)
    {
        end = Math.Min(end, frame.Length);
        if (start < 0 || start >= end || offset < 0 || offset > frame.Length - sizeof(ushort))
            return false;
        BinaryPrimitives.WriteUInt16BigEndian(frame[offset..], Finish(Sum(frame[start..end])));
        return true;
    }

    private static ushort Fold(ulong sum)
    {
        while (sum > ushort.MaxValue)
            sum = (sum >> 16) + (sum & ushort.MaxValue);
        return (ushort)sum;
    }
}
