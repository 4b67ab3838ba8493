namespace VfioUser;

/// <summary>A hold on guest memory: until it is disposed, an unmap of any part of it gets no reply.</summary>
/// <remarks>
/// Any thread. Dispose it soon, since a virtual CPU may be stopped meanwhile. It stays usable while an unmap waits for it.
/// If it is disposed during an access on another thread, it is released when that access ends.
/// </remarks>
public sealed class DmaLease : IDisposable
{
    private readonly bool _writable;
    private readonly Dma _dma;
    private readonly GuestRegion? _first;
    private readonly GuestRegion[] _more;
    private RundownCount _uses = RundownCount.Open;

    /// <param name="dma">Where it was taken.</param>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="writable">Whether it may be written.</param>
    /// <param name="first">The region of the first byte, entered; null for a lease of 0 bytes.</param>
    /// <param name="more">The regions behind it, entered.</param>
    internal DmaLease(Dma dma, Iova address, ulong length, bool writable, GuestRegion? first, GuestRegion[] more)
    {
        _dma = dma;
        Address = address;
        Length = length;
        _writable = writable;
        _first = first;
        _more = more;
    }

    /// <summary>First byte.</summary>
    public Iova Address { get; }

    /// <summary>In bytes.</summary>
    public ulong Length { get; }

    /// <summary>Copies from the memory.</summary>
    /// <param name="offset">First byte, relative to the lease.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed: bus mastering is off, the client has disconnected or does not reply, or its file
    /// cannot be accessed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range exceeds the lease.</exception>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public DmaResult TryRead(ulong offset, Span<byte> destination)
    {
        Enter(offset, destination.Length);
        try
        {
            return GuestCopy.Read(new Held(this), Address.Value + offset, destination);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Copies into the memory.</summary>
    /// <param name="offset">First byte, relative to the lease.</param>
    /// <param name="source">What to write; length in bytes.</param>
    /// <exception cref="InvalidOperationException">The lease is not writable.</exception>
    /// <inheritdoc cref="TryRead"/>
    public DmaResult TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        ThrowIfForReading(true);
        Enter(offset, source.Length);
        try
        {
            return GuestCopy.Write(new Held(this), Address.Value + offset, source);
        }
        finally
        {
            Exit();
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
        ThrowIfForReading(writable);
        Enter(offset, length);
        try
        {
            return GuestCopy.Access(new Held(this), Address.Value + offset, length, writable, state, action);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Releases the memory.</summary>
    public void Dispose()
    {
        if (_uses.Close())
            LetGo();
    }

    private void ThrowIfForReading(bool writable)
    {
        if (writable && !_writable)
            throw new InvalidOperationException("The lease is not writable. Ask for a writable one.");
    }

    private void Enter(ulong offset, int length)
    {
        if (offset > Length || (ulong)length > Length - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes at this offset exceed the lease of {Length} bytes.");
        ObjectDisposedException.ThrowIf(!_uses.TryEnter(), this);
    }

    private void Exit()
    {
        if (_uses.Exit())
            LetGo();
    }

    private void LetGo()
    {
        _dma.Holds?.Remove(this);
        _first?.Exit();
        foreach (GuestRegion region in _more)
            region.Exit();
    }

    // the regions that the lease holds
    private readonly struct Held(DmaLease lease) : IGuestRegionSource
    {
        // a lease has no gaps: only bus mastering can be missing
        public DmaResult Missing(ulong address, bool write) => new(DmaStatus.BusMasterOff, new Iova(address));

        public DmaResult Overflow(ulong address) => new(DmaStatus.AddressOverflow, new Iova(address));

        public GuestRegion? Enter(ulong address, bool write)
        {
            if (!lease._dma.MayMaster)
                return null;
            GuestRegion? region = lease._first;
            for (int i = 0; address < region!.Start || address > region.Last; i++)
                region = lease._more[i];
            return region;
        }

        public void Exit(GuestRegion region)
        {
            // released with the lease
        }
    }
}
