using System.Security.Cryptography;

namespace VfioUser;

/// <summary>What of shared memory is saved while the device runs, and what is left when it is stopped.</summary>
/// <remarks>
/// Nobody says what a guest stores into memory that it has mapped. So each piece is remembered by the hash of what was saved, and saved
/// once more if its memory has another at the end. A hash that a guest could make collide would lose its writes: SHA-256.
/// </remarks>
internal sealed class MemoryPreCopy(StateLayout layout)
{
    private readonly Dictionary<MemoryPiece, byte[]> _saved = [];
    private readonly long _total = layout.Memory.Where(part => part.Region.Memory!.Migration == MemoryMigration.PreCopy)
        .Sum(part => part.Area.Length);

    private IEnumerator<MemoryPiece>? _running;

    /// <summary>Bytes that <see cref="Next"/> still gives, in pieces.</summary>
    public long LeftWhileRunning => _total - SavedBytes;

    private long SavedBytes { get; set; }

    /// <summary>The next piece that can be saved while the device runs; null when there is none.</summary>
    public MemoryPiece? Next()
    {
        _running ??= Pieces(MemoryMigration.PreCopy).GetEnumerator();
        return _running.MoveNext() ? _running.Current : null;
    }

    /// <summary>A piece was saved while the device runs.</summary>
    public void Saved(MemoryPiece piece, ReadOnlySpan<byte> bytes)
    {
        _saved[piece] = SHA256.HashData(bytes);
        SavedBytes += piece.Length;
    }

    /// <summary>All that is not saved as it is now. The device is stopped.</summary>
    public IEnumerable<MemoryPiece> Left() => Pieces(null)
        .Where(piece => !_saved.TryGetValue(piece, out byte[]? hash) || !hash.AsSpan().SequenceEqual(HashOf(piece)));

    private IEnumerable<MemoryPiece> Pieces(MemoryMigration? kind) => layout.Memory
        .Where(part => kind is null || part.Region.Memory!.Migration == kind)
        .SelectMany(part => MemoryPiece.Of(part.Region, part.Area));

    private static byte[] HashOf(MemoryPiece piece) => SHA256.HashData(piece.Region.Memory!.Span(piece.Offset, piece.Length));
}
