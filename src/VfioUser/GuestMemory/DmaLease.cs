namespace VfioUser;

/// <summary>A hold on guest memory: as long as it lasts the client's unmap of any part of it is not answered.</summary>
/// <remarks>
/// Any thread. Dispose it soon, a virtual CPU may stand still meanwhile. It works on while an unmap waits for it.
/// Disposed by one thread while another works with it, it ends when that one is done.
/// </remarks>
public sealed class DmaLease : IDisposable
{
    private readonly bool _writable;
    private readonly GuestRegion[] _held;
    private RundownCount _uses = RundownCount.Open;

    internal DmaLease(Iova address, ulong length, bool writable, GuestRegion[] held)
    {
        Address = address;
        Length = length;
        _writable = writable;
        _held = held;
    }

    /// <summary>First byte.</summary>
    public Iova Address { get; }

    /// <summary>In bytes.</summary>
    public ulong Length { get; }

    /// <summary>Copies from the memory.</summary>
    /// <param name="offset">Relative to the lease.</param>
    /// <param name="destination">Filled completely, or cleared.</param>
    /// <returns>False when the client has gone or does not answer, or the file behind the memory failed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the lease.</exception>
    /// <exception cref="ObjectDisposedException">The lease is over.</exception>
    public bool TryRead(ulong offset, Span<byte> destination) => Read(offset, destination) == DmaResult.Done;

    /// <summary>As <see cref="TryRead"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryRead"/>
    /// <returns>What became of it.</returns>
    public DmaResult Read(ulong offset, Span<byte> destination)
    {
        Enter(offset, destination.Length);
        try
        {
            return GuestCopy.Read(new Held(_held), Address.Value + offset, destination);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Copies into the memory.</summary>
    /// <param name="offset">Relative to the lease.</param>
    /// <param name="source">What to write.</param>
    /// <exception cref="InvalidOperationException">The lease is for reading.</exception>
    /// <inheritdoc cref="TryRead"/>
    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source) => Write(offset, source) == DmaResult.Done;

    /// <summary>As <see cref="TryWrite"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryWrite"/>
    /// <returns>What became of it.</returns>
    public DmaResult Write(ulong offset, ReadOnlySpan<byte> source)
    {
        ThrowIfForReading(true);
        Enter(offset, source.Length);
        try
        {
            return GuestCopy.Write(new Held(_held), Address.Value + offset, source);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Works on the memory in place where the range is mapped as one piece; elsewhere on a copy that is read before
    /// and, if <paramref name="writable"/>, written back after.</summary>
    /// <param name="offset">Relative to the lease.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called once when the memory is there.</param>
    /// <returns>As the copying accesses.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the lease.</exception>
    /// <exception cref="InvalidOperationException">The lease is for reading.</exception>
    /// <exception cref="ObjectDisposedException">The lease is over.</exception>
    /// <remarks>Allocates nothing where the memory is mapped.</remarks>
    public bool TryAccess<TState>(ulong offset, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct => Access(offset, length, writable, state, action) == DmaResult.Done;

    /// <summary>As <see cref="TryAccess"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryAccess"/>
    /// <returns>What became of it.</returns>
    public DmaResult Access<TState>(ulong offset, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ThrowIfForReading(writable);
        Enter(offset, length);
        try
        {
            return GuestCopy.Access(new Held(_held), Address.Value + offset, length, writable, state, action);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Ends the hold.</summary>
    public void Dispose()
    {
        if (_uses.Close())
            LetGo();
    }

    private void ThrowIfForReading(bool writable)
    {
        if (writable && !_writable)
            throw new InvalidOperationException("The lease is for reading. Ask for a writable one.");
    }

    private void Enter(ulong offset, int length)
    {
        if (offset > Length || (ulong)length > Length - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes from there on leave the lease of {Length}.");
        ObjectDisposedException.ThrowIf(!_uses.TryEnter(), this);
    }

    private void Exit()
    {
        if (_uses.Exit())
            LetGo();
    }

    private void LetGo()
    {
        foreach (GuestRegion region in _held)
            region.Exit();
    }

    // in use until the lease ends
    private readonly struct Held(GuestRegion[] regions) : IGuestRegionSource
    {
        // a lease has no gaps
        public DmaResult Missing => DmaResult.NotMapped;

        public GuestRegion Enter(ulong address, bool write)
        {
            int index = 0;
            while (address < regions[index].Start || address > regions[index].Last)
                index++;
            return regions[index];
        }

        public void Exit(GuestRegion region)
        {
            // the lease's end does it
        }
    }
}
