namespace VfioUser;

/// <summary>Shared memory that fits into one record.</summary>
/// <param name="Region">The region.</param>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Length">In bytes.</param>
internal readonly record struct MemoryPiece(Region Region, long Offset, int Length)
{
    private const int MaxLength = MigrationWriter.PieceSize - MigrationStream.MemoryHeaderSize;

    public static IEnumerable<MemoryPiece> Of(Region region, MemoryArea area)
    {
        for (long done = 0; done < area.Length;)
        {
            int length = (int)Math.Min(area.Length - done, MaxLength);
            yield return new MemoryPiece(region, area.Offset + done, length);
            done += length;
        }
    }
}
