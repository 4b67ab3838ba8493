namespace VfioUser;

/// <summary>A hold on guest memory: until it is disposed, an unmap of any part of it gets no reply.</summary>
/// <remarks>
/// Any thread. Dispose it soon, since a virtual CPU may be stopped meanwhile. It stays usable while an unmap waits for it.
/// If it is disposed during an access on another thread, it is released when that access ends. Copies are the same lease: the first
/// one that is disposed ends it, and later use of any of them throws. The default is a lease that has ended.
/// </remarks>
public readonly record struct DmaLease : IDisposable
{
    private readonly LeaseSlot? _slot;
    private readonly ulong _generation;

    internal DmaLease(LeaseSlot slot, ulong generation)
    {
        _slot = slot;
        _generation = generation;
    }

    /// <summary>First byte.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public Iova Address => Get(static slot => slot.Address);

    /// <summary>In bytes.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public ulong Length => Get(static slot => slot.Length);

    /// <summary>Copies from the memory.</summary>
    /// <param name="offset">First byte, relative to the lease.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed: bus mastering is off, the client has disconnected or does not reply, or its file
    /// cannot be accessed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range exceeds the lease.</exception>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public DmaResult TryRead(ulong offset, Span<byte> destination)
    {
        LeaseSlot slot = Enter();
        try
        {
            return GuestCopy.Read(new Regions(slot), Checked(slot, offset, destination.Length, writes: false), destination);
        }
        finally
        {
            slot.Exit();
        }
    }

    /// <summary>Copies into the memory.</summary>
    /// <param name="offset">First byte, relative to the lease.</param>
    /// <param name="source">What to write; length in bytes.</param>
    /// <exception cref="InvalidOperationException">The lease is not writable.</exception>
    /// <inheritdoc cref="TryRead" path="/*[not(self::param)]"/>
    public DmaResult TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        LeaseSlot slot = Enter();
        try
        {
            return GuestCopy.Write(new Regions(slot), Checked(slot, offset, source.Length, writes: true), source);
        }
        finally
        {
            slot.Exit();
        }
    }

    /// <summary>Runs an action on the memory: in place if the range is contiguous in a mapped region, otherwise on a copy
    /// that is written back afterwards if <paramref name="writable"/>.</summary>
    /// <param name="offset">First byte, relative to the lease.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called once if the memory is accessible.</param>
    /// <returns>Done; otherwise why and where it failed: bus mastering is off, the client has disconnected or does not reply, or its file
    /// cannot be accessed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range exceeds the lease.</exception>
    /// <exception cref="InvalidOperationException">The lease is not writable.</exception>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <remarks>Does not allocate if the memory is mapped.</remarks>
    public DmaResult TryAccess<TState>(ulong offset, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        LeaseSlot slot = Enter();
        try
        {
            return GuestCopy.Access(new Regions(slot), Checked(slot, offset, length, writable), length, writable, state, action);
        }
        finally
        {
            slot.Exit();
        }
    }

    /// <summary>Releases the memory. Does nothing the second time.</summary>
    public void Dispose()
    {
        if (_slot is { } slot && slot.End(_generation))
            slot.Dma.Holds?.Remove(this);
    }

    /// <summary>As in a line of a log.</summary>
    public override string ToString()
    {
        if (_slot is not { } slot)
            return "no lease";
        string text = $"a lease of {slot.Length} bytes at {slot.Address}";
        return slot.IsHeld(_generation) ? text : "a lease that has ended";
    }

    private T Get<T>(Func<LeaseSlot, T> get)
    {
        T value = get(_slot ?? throw Ended());
        // afterwards: it may have ended, and another lease have begun, meanwhile
        Interlocked.MemoryBarrier();
        return _slot.IsHeld(_generation) ? value : throw Ended();
    }

    private LeaseSlot Enter() => _slot is { } slot && slot.TryEnter(_generation) ? slot : throw Ended();

    // where an access begins
    private static ulong Checked(LeaseSlot slot, ulong offset, int length, bool writes)
    {
        if (writes && !slot.IsWritable)
            throw new InvalidOperationException("The lease is not writable. Ask for a writable one.");
        if (offset > slot.Length || (ulong)length > slot.Length - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes at this offset exceed the lease of {slot.Length} bytes.");
        return slot.Address.Value + offset;
    }

    private static ObjectDisposedException Ended() => new(nameof(DmaLease), "The lease has ended: it was disposed, or never taken.");

    // the regions that the lease holds
    private readonly struct Regions(LeaseSlot slot) : IGuestRegionSource
    {
        // a lease has no gaps: only bus mastering can be missing
        public DmaResult Missing(ulong address, bool write) => new(DmaStatus.BusMasterOff, new Iova(address));

        public DmaResult Overflow(ulong address) => new(DmaStatus.AddressOverflow, new Iova(address));

        public GuestRegion? Enter(ulong address, bool write) => slot.Dma.MayMaster ? slot.RegionOf(address) : null;

        public void Exit(GuestRegion region)
        {
            // released with the lease
        }
    }
}
