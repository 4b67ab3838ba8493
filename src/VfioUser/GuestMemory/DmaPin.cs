namespace VfioUser;

/// <summary>Pinned guest memory: the memory itself, for asynchronous I/O and native libraries without a copy. Until it is disposed, an
/// unmap of any part of it gets no reply.</summary>
/// <remarks>
/// Any thread. Dispose it when the I/O has ended, and soon, since a virtual CPU may be stopped meanwhile. It stays usable while an unmap
/// waits for it, and after the guest has disabled bus mastering or the client has disconnected. The guest changes the memory at any
/// time. If it may be written, all of its pages are marked dirty at the end.
/// </remarks>
public sealed class DmaPin : IDisposable
{
    private readonly Dma _dma;
    private readonly DmaPinAccess _access;
    private DmaPinSegment? _first;
    private DmaPinSegment? _last;
    private int _count;
    private Memory<byte>[]? _segments;
    private ReadOnlyMemory<byte>[]? _readOnlySegments;
    private RundownCount _uses = RundownCount.Open;

    internal DmaPin(Dma dma, DmaPinAccess access)
    {
        _dma = dma;
        _access = access;
    }

    /// <summary>In bytes.</summary>
    public ulong Length { get; private set; }

    /// <summary>The memory in order, to be written; a segment for each DMA region, of at most 1 GiB. Empty for 0 bytes.</summary>
    /// <exception cref="InvalidOperationException">The pin is for reading.</exception>
    /// <exception cref="ObjectDisposedException">The pin is disposed. What was taken from it before throws, too; a span of it must not be
    /// used any more.</exception>
    /// <remarks>Where the guest splits a buffer is up to its driver: do not rely on one segment. Allocates a list the first time.</remarks>
    public IReadOnlyList<Memory<byte>> Segments
    {
        get
        {
            if (_access == DmaPinAccess.Read)
                throw new InvalidOperationException("The memory is pinned for reading. Ask for write access, or use ReadOnlySegments.");
            ObjectDisposedException.ThrowIf(!IsHeld, this);
            return _segments ??= ToArray(static segment => segment.Memory);
        }
    }

    /// <summary>The memory in order, to be read; as <see cref="Segments"/>.</summary>
    /// <exception cref="InvalidOperationException">The pin is for writing only.</exception>
    /// <exception cref="ObjectDisposedException">As <see cref="Segments"/>.</exception>
    /// <remarks>As <see cref="Segments"/>.</remarks>
    public IReadOnlyList<ReadOnlyMemory<byte>> ReadOnlySegments
    {
        get
        {
            if (_access == DmaPinAccess.Write)
                throw new InvalidOperationException("The memory is pinned for writing only. Ask for read access, too, or use Segments.");
            ObjectDisposedException.ThrowIf(!IsHeld, this);
            return _readOnlySegments ??= ToArray<ReadOnlyMemory<byte>>(static segment => segment.Memory);
        }
    }

    internal bool IsHeld => _uses.IsOpen;

    /// <summary>Where a segment lies in this process, for native libraries and io_uring. Nothing checks what is done with it.</summary>
    /// <param name="segment">An index of <see cref="Segments"/>.</param>
    /// <returns>Points to as many bytes as the segment has, until the pin is disposed: access beyond them, or later, corrupts the
    /// process or ends it; so does a write if the pin is for reading.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such segment.</exception>
    /// <exception cref="ObjectDisposedException">The pin is disposed.</exception>
    /// <remarks>Keep a reference to the pin until the native code has ended, and dispose it then.</remarks>
    public nint DangerousGetPointer(int segment = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(segment);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(segment, _count);
        DmaPinSegment found = _first!;
        for (int i = 0; i < segment; i++)
            found = found.Next!;
        return found.Pointer;
    }

    /// <summary>Releases the memory, or lets the last I/O that has pinned it do so: see <see cref="Memory{T}.Pin"/>.</summary>
    /// <remarks>Code that works with a span of the memory holds nothing: wait for it before.</remarks>
    public void Dispose()
    {
        if (_uses.Close())
            LetGo(_access != DmaPinAccess.Read);
    }

    /// <summary>Adds memory whose region has been entered, and is exited with the pin.</summary>
    internal void Append(MappedGuestRegion region, ulong offset, int length)
    {
        DmaPinSegment segment = new(this, region, offset, length);
        if (_last is null)
            _first = segment;
        else
            _last.Next = segment;
        _last = segment;
        _count++;
        Length += (ulong)length;
    }

    /// <summary>Counts the pin, once it is complete.</summary>
    internal void Count() => _first?.Meter?.Leased();

    /// <summary>Releases what was added, before anybody has used it.</summary>
    internal void Abandon()
    {
        if (!_uses.Close())
            return;
        LetGo(written: false);
        (_first, _last, _count, Length) = (null, null, 0, 0);
    }

    internal bool TryEnter() => _uses.TryEnter();

    internal void Exit()
    {
        if (_uses.Exit())
            LetGo(_access != DmaPinAccess.Read);
    }

    private void LetGo(bool written)
    {
        _dma.Holds?.Remove(this);
        for (DmaPinSegment? segment = _first; segment is not null; segment = segment.Next)
            segment.Release(written);
    }

    private T[] ToArray<T>(Func<DmaPinSegment, T> get)
    {
        T[] all = new T[_count];
        DmaPinSegment? segment = _first;
        for (int i = 0; segment is not null; segment = segment.Next)
            all[i++] = get(segment);
        return all;
    }
}
