using VfioUser.Network;

namespace E1000.Device;

/// <summary>What a checksum is of, and where it goes.</summary>
/// <param name="Start">First byte that it is of.</param>
/// <param name="Offset">Where it goes, relative to the frame.</param>
/// <param name="End">Last byte that it is of; 0 for the end of the frame.</param>
internal readonly record struct ChecksumRange(int Start, int Offset, int End)
{
    /// <summary>Puts the checksum into a frame, unless the guest named bytes that are not in it.</summary>
    public void Insert(Span<byte> frame) => InternetChecksum.TryInsert(frame, Start, End == 0 ? frame.Length : End + 1, Offset);
}
