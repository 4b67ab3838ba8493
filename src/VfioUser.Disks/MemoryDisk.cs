namespace VfioUser.Disks;

/// <summary>Blocks in memory, which is allocated on write and freed on deallocation.</summary>
/// <remarks>Any thread.</remarks>
public sealed class MemoryDisk : Disk, IInPlaceDisk
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
    /// <param name="identity">See <see cref="Disk.Identity"/>; null for one that no other disk has.</param>
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

    /// <inheritdoc/>
    public override bool MayBlock => false;

    /// <summary>How much memory it holds now, in bytes.</summary>
    public long Allocated => _chunks.LongCount(chunk => chunk is not null) * ChunkSize;

    /// <inheritdoc/>
    public bool TryRead(long offset, GuestBuffer destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            using Lock.Scope whole = LockOf(offset + done).EnterScope();
            ReadOnlySpan<byte> window = WindowToRead(offset + done, destination.Length - done);
            if (!destination.TryCopyFrom(done, window))
                return false;
            done += window.Length;
        }
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(long offset, GuestBuffer source)
    {
        for (int done = 0; done < source.Length;)
        {
            using Lock.Scope whole = LockOf(offset + done).EnterScope();
            Span<byte> window = WindowToWrite(offset + done, source.Length - done);
            if (!source.TryCopyTo(done, window))
                return false;
            done += window.Length;
        }
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        for (Span<byte> left = destination.Span; !left.IsEmpty;)
        {
            using Lock.Scope whole = LockOf(offset).EnterScope();
            ReadOnlySpan<byte> window = WindowToRead(offset, left.Length);
            window.CopyTo(left);
            left = left[window.Length..];
            offset += window.Length;
        }
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        for (ReadOnlySpan<byte> left = source.Span; !left.IsEmpty;)
        {
            using Lock.Scope whole = LockOf(offset).EnterScope();
            Span<byte> window = WindowToWrite(offset, left.Length);
            left[..window.Length].CopyTo(window);
            left = left[window.Length..];
            offset += window.Length;
        }
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default)
    {
        while (length > 0)
        {
            int count = ZeroSome(offset, length, deallocate);
            offset += count;
            length -= count;
        }
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) =>
        WriteZeroesAsync(offset, length, deallocate: true, cancellation);

    /// <inheritdoc/>
    public override bool CanSecureErase => true;

    /// <inheritdoc/>
    public override ValueTask SecureEraseAsync(long offset, long length, CancellationToken cancellation = default) =>
        WriteZeroesAsync(offset, length, deallocate: false, cancellation);

    /// <summary>The lock to hold while a window is copied, so that each block is seen as a whole.</summary>
    /// <param name="offset">Of the window's first byte.</param>
    internal Lock LockOf(long offset) => _locks[(int)(offset / WindowSize % _locks.Length)];

    private ReadOnlySpan<byte> WindowToRead(long offset, int length)
    {
        (int chunk, int at, length) = Place(offset, length);
        // all chunks that do not exist share the same zeros
        return Volatile.Read(ref _chunks[chunk]) is { } bytes ? bytes.AsSpan(at, length) : Zeroes.AsSpan(0, length);
    }

    private Span<byte> WindowToWrite(long offset, int length)
    {
        (int chunk, int at, length) = Place(offset, length);
        byte[]? bytes = Volatile.Read(ref _chunks[chunk]);
        if (bytes is null)
        {
            bytes = new byte[ChunkSize];
            bytes = Interlocked.CompareExchange(ref _chunks[chunk], bytes, null) ?? bytes;
        }
        return bytes.AsSpan(at, length);
    }

    // as much as one lock is for
    private static (int Chunk, int At, int Length) Place(long offset, long length)
    {
        (int chunk, int at) = ((int)(offset / ChunkSize), (int)(offset % ChunkSize));
        return (chunk, at, (int)Math.Min(length, WindowSize - at % WindowSize));
    }

    private int ZeroSome(long offset, long length, bool deallocate)
    {
        (int chunk, int at, int count) = Place(offset, length);
        if (deallocate && at == 0 && length >= ChunkSize)
        {
            // whoever copies from or to the old bytes at this moment came before
            Volatile.Write(ref _chunks[chunk], null);
            return ChunkSize;
        }
        using (LockOf(offset).EnterScope())
            Volatile.Read(ref _chunks[chunk])?.AsSpan(at, count).Clear();
        return count;
    }
}
