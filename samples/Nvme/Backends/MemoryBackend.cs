namespace Nvme.Backends;

/// <summary>Blocks in memory, which is allocated on write and freed on deallocation.</summary>
public sealed class MemoryBackend : Backend
{
    /// <summary>Bytes in a chunk, the unit of allocation.</summary>
    public const int ChunkSize = 1 << 20;

    /// <summary>The largest size, in bytes: 16 TiB.</summary>
    public const long MaxSize = 1L << 44;

    private static readonly byte[] Zeroes = new byte[64 << 10];
    private readonly byte[]?[] _chunks;

    /// <param name="size">In bytes, from 1 to <see cref="MaxSize"/>.</param>
    /// <param name="identity">See <see cref="Backend.Identity"/>; null for one that no other disk has.</param>
    public MemoryBackend(long size, string? identity = null)
    {
        if (size is < 1 or > MaxSize)
            throw new ArgumentException($"A disk in memory has 1 to {MaxSize} bytes, not {size}.", nameof(size));
        Size = size;
        Identity = identity ?? base.Identity;
        _chunks = new byte[(size - 1) / ChunkSize + 1][];
    }

    /// <inheritdoc/>
    public override long Size { get; }

    /// <inheritdoc/>
    public override string Identity { get; }

    /// <summary>How much memory it holds now, in bytes.</summary>
    public long Allocated => _chunks.LongCount(chunk => chunk is not null) * ChunkSize;

    /// <inheritdoc/>
    public override Span<byte> Window(long offset, int length, bool writable)
    {
        (int chunk, int at) = ((int)(offset / ChunkSize), (int)(offset % ChunkSize));
        byte[]? bytes = Volatile.Read(ref _chunks[chunk]);
        if (bytes is null)
        {
            // a window for reading is never written, so all chunks that do not exist share the same zeros
            if (!writable)
                return Zeroes.AsSpan(0, Math.Min(Math.Min(length, Zeroes.Length), ChunkSize - at));
            bytes = new byte[ChunkSize];
            bytes = Interlocked.CompareExchange(ref _chunks[chunk], bytes, null) ?? bytes;
        }
        return bytes.AsSpan(at, Math.Min(length, ChunkSize - at));
    }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> window = Window(offset, destination.Length, writable: false);
            window.CopyTo(destination);
            destination = destination[window.Length..];
            offset += window.Length;
        }
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            Span<byte> window = Window(offset, source.Length, writable: true);
            source[..window.Length].CopyTo(window);
            source = source[window.Length..];
            offset += window.Length;
        }
    }

    /// <inheritdoc/>
    public override void WriteZeroes(long offset, long length, bool deallocate)
    {
        while (length > 0)
        {
            (int chunk, int at) = ((int)(offset / ChunkSize), (int)(offset % ChunkSize));
            int count = (int)Math.Min(length, ChunkSize - at);
            if (deallocate && count == ChunkSize)
                Volatile.Write(ref _chunks[chunk], null);
            else
                Volatile.Read(ref _chunks[chunk])?.AsSpan(at, count).Clear();
            offset += count;
            length -= count;
        }
    }

    /// <inheritdoc/>
    public override void Deallocate(long offset, long length) => WriteZeroes(offset, length, deallocate: true);

    /// <inheritdoc/>
    protected override void WriteBack()
    {
        // memory has no cache to flush
    }
}
