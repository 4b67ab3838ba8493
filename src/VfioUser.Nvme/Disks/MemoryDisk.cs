namespace VfioUser.Nvme;

/// <summary>Blocks in memory, which is allocated on write and freed on deallocation.</summary>
public sealed class MemoryDisk : NvmeDisk
{
    /// <summary>Bytes in a chunk, the unit of allocation.</summary>
    public const int ChunkSize = 1 << 20;

    /// <summary>The largest size, in bytes: 16 TiB.</summary>
    public const long MaxSize = 1L << 44;

    // what is copied under one lock: longer than a block, and shorter than what another thread should wait for
    private const int WindowSize = 64 << 10;

    private static readonly byte[] Zeroes = new byte[WindowSize];
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly byte[]?[] _chunks;

    /// <param name="size">In bytes, from 1 to <see cref="MaxSize"/>.</param>
    /// <param name="identity">See <see cref="NvmeDisk.Identity"/>; null for one that no other disk has.</param>
    public MemoryDisk(long size, string? identity = null)
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
    public override Lock WindowLock(long offset) => _locks[(int)(offset / WindowSize % _locks.Length)];

    /// <inheritdoc/>
    public override Span<byte> Window(long offset, int length, bool writable)
    {
        (int chunk, int at) = ((int)(offset / ChunkSize), (int)(offset % ChunkSize));
        // within what one lock is for
        length = Math.Min(length, WindowSize - at % WindowSize);
        byte[]? bytes = Volatile.Read(ref _chunks[chunk]);
        if (bytes is null)
        {
            // a window for reading is never written, so all chunks that do not exist share the same zeros
            if (!writable)
                return Zeroes.AsSpan(0, length);
            bytes = new byte[ChunkSize];
            bytes = Interlocked.CompareExchange(ref _chunks[chunk], bytes, null) ?? bytes;
        }
        return bytes.AsSpan(at, length);
    }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int length;
            using (WindowLock(offset).EnterScope())
            {
                Span<byte> window = Window(offset, destination.Length, writable: false);
                window.CopyTo(destination);
                length = window.Length;
            }
            destination = destination[length..];
            offset += length;
        }
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            int length;
            using (WindowLock(offset).EnterScope())
            {
                Span<byte> window = Window(offset, source.Length, writable: true);
                length = window.Length;
                source[..length].CopyTo(window);
            }
            source = source[length..];
            offset += length;
        }
    }

    /// <inheritdoc/>
    public override void WriteZeroes(long offset, long length, bool deallocate)
    {
        while (length > 0)
        {
            int count = ZeroSome(offset, length, deallocate);
            offset += count;
            length -= count;
        }
    }

    private int ZeroSome(long offset, long length, bool deallocate)
    {
        (int chunk, int at) = ((int)(offset / ChunkSize), (int)(offset % ChunkSize));
        if (deallocate && at == 0 && length >= ChunkSize)
        {
            // whoever copies from or to the old bytes at this moment came before
            Volatile.Write(ref _chunks[chunk], null);
            return ChunkSize;
        }
        int count = (int)Math.Min(length, WindowSize - at % WindowSize);
        using (WindowLock(offset).EnterScope())
            Volatile.Read(ref _chunks[chunk])?.AsSpan(at, count).Clear();
        return count;
    }

    /// <inheritdoc/>
    public override void Deallocate(long offset, long length) => WriteZeroes(offset, length, deallocate: true);

    /// <inheritdoc/>
    protected override void WriteBack()
    {
        // memory has no cache to flush
    }
}
