namespace VfioUser;

/// <summary>The MSI-X pending bit array (PBA): one bit per vector. PCI 3.0 6.8.2.10.</summary>
internal sealed class PendingBitsPart(long start, IrqVectors vectors)
    : RegionPart(start, (vectors.Count + 63) / 64 * sizeof(ulong))
{
    public override void Read(long offset, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            int first = ((int)offset + i) * 8;
            int bits = 0;
            for (int bit = 0; bit < 8 && first + bit < vectors.Count; bit++)
                bits |= vectors[first + bit].IsPending ? 1 << bit : 0;
            destination[i] = (byte)bits;
        }
    }

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        // read-only
    }
}
