using System.Security.Cryptography;

namespace VfioUser;

/// <summary>Selects which shared memory is saved while the device runs, and which is left when it is stopped.</summary>
/// <remarks>
/// A guest's stores into mapped memory are not reported. So the hash of each saved piece is kept, and the piece is saved once more if
/// its hash is another one when the device is stopped. SHA-256, so that a guest cannot make two contents collide.
/// </remarks>
internal sealed class MemoryPreCopy(StateLayout layout)
{
    private readonly Dictionary<MemoryPiece, byte[]> _saved = [];
    private readonly long _total = layout.Memory.Where(part => part.Region.Memory!.Migration == MemoryMigration.PreCopy)
        .Sum(part => part.Area.Length);

    private IEnumerator<MemoryPiece>? _running;

    /// <summary>Bytes of the pieces that <see cref="Next"/> has not returned yet.</summary>
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

    /// <summary>The pieces that are not saved, or have changed since. The device is stopped.</summary>
    public IEnumerable<MemoryPiece> Left() => Pieces(null)
        .Where(piece => !_saved.TryGetValue(piece, out byte[]? hash) || !hash.AsSpan().SequenceEqual(HashOf(piece)));

    private IEnumerable<MemoryPiece> Pieces(MemoryMigration? kind) => layout.Memory
        .Where(part => kind is null || part.Region.Memory!.Migration == kind)
        .SelectMany(part => MemoryPiece.Of(part.Region, part.Area));

    private static byte[] HashOf(MemoryPiece piece) => SHA256.HashData(piece.Region.Memory!.Span(piece.Offset, piece.Length));
}
