namespace VfioUser.Disks;

/// <summary>The guest's memory that a disk reads into or writes from: part of a scatter-gather list, accessed as one buffer.</summary>
/// <remarks>One thread, during one call: the list belongs to the device, and is used again for others. The guest changes the bytes at any
/// time.</remarks>
public readonly struct GuestBuffer
{
    private readonly DmaList _list;
    private readonly long _offset;

    /// <param name="list">The guest's memory.</param>
    /// <param name="offset">Of the buffer's first byte in the list; at least 0.</param>
    /// <param name="length">In bytes; at least 0. The list may be shorter: then accesses behind its end fail.</param>
    public GuestBuffer(DmaList list, long offset, int length)
    {
        ArgumentNullException.ThrowIfNull(list);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        (_list, _offset, Length) = (list, offset, length);
    }

    /// <summary>In bytes.</summary>
    public int Length { get; }

    /// <summary>Copies from the guest.</summary>
    /// <param name="offset">Within the buffer, in bytes; at least 0.</param>
    /// <param name="destination">Filled completely on success.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyTo(int offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return destination.Length <= Length - offset && _list.TryRead(_offset + offset, destination);
    }

    /// <summary>Copies to the guest.</summary>
    /// <param name="offset">Within the buffer, in bytes; at least 0.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyFrom(int offset, ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return source.Length <= Length - offset && _list.TryWrite(_offset + offset, source);
    }

    /// <summary>Runs an action on the memory itself, a piece at a time and in order: for system calls that read into it or write from it.</summary>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called for each piece, with its offset in the buffer.</param>
    /// <returns>False when some of it is not mapped: the action may have been called for what is before.</returns>
    /// <remarks>Does not allocate for memory that is mapped into this process; other memory is copied.</remarks>
    public bool TryAccess<TState>(bool writable, TState state, DmaListAction<TState> action) =>
        _list.TryAccess(_offset, Length, writable, state, action);

    /// <summary>Whether all pieces begin at a multiple of a number, and are multiples of it long.</summary>
    /// <param name="alignment">A power of two.</param>
    public bool IsAligned(int alignment) => _list.IsAligned(_offset, Length, alignment);
}
