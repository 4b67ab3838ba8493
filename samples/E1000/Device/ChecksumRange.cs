using System.Buffers.Binary;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>What a checksum is of, and where it goes.</summary>
/// <param name="Start">First byte that it is of.</param>
/// <param name="Offset">Where it goes, relative to the frame.</param>
/// <param name="End">Last byte that it is of; 0 for the end of the frame.</param>
internal readonly record struct ChecksumRange(int Start, int Offset, int End)
{
    /// <summary>Puts the checksum into a frame, unless the guest named bytes that are not in it.</summary>
    public void Insert(Span<byte> frame)
    {
        int end = End == 0 ? frame.Length : Math.Min(End + 1, frame.Length);
        if (Start >= end || Offset + sizeof(ushort) > frame.Length)
            return;
        ushort sum = InternetChecksum.Sum(frame[Start..end]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[Offset..], InternetChecksum.Finish(sum));
    }
}
