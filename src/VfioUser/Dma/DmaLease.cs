namespace VfioUser;

/// <summary>A hold on guest memory: as long as it lasts the client's unmap of any part of it is not answered.</summary>
/// <remarks>
/// Any thread. Dispose it soon, a virtual CPU may stand still meanwhile. It works on while an unmap waits for it.
/// Disposed by one thread while another works with it, it ends when that one is done.
/// </remarks>
public sealed class DmaLease : IDisposable
{
    private readonly bool _writable;
    private readonly DmaMapping[] _held;
    private UseCount _uses = UseCount.Open;

    internal DmaLease(Iova address, ulong length, bool writable, DmaMapping[] held)
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
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        Enter(offset, destination.Length);
        try
        {
            Span<byte> rest = destination;
            while (!rest.IsEmpty)
            {
                DmaMapping mapping = At(offset, rest.Length, out ulong within, out int count);
                if (!mapping.Read(within, rest[..count]))
                {
                    destination.Clear();
                    return false;
                }
                rest = rest[count..];
                offset += (ulong)count;
            }
            return true;
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
    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!_writable)
            throw new InvalidOperationException("The lease is for reading. Ask for a writable one.");
        Enter(offset, source.Length);
        try
        {
            while (!source.IsEmpty)
            {
                DmaMapping mapping = At(offset, source.Length, out ulong within, out int count);
                if (!mapping.Write(within, source[..count]))
                    return false;
                source = source[count..];
                offset += (ulong)count;
            }
            return true;
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
        foreach (DmaMapping mapping in _held)
            mapping.Exit();
    }

    // The region that holds the byte at offset, and how much of length lies in it.
    private DmaMapping At(ulong offset, int length, out ulong within, out int count)
    {
        ulong address = unchecked(Address.Value + offset);
        int index = 0;
        while (address < _held[index].Start || address > _held[index].Last)
            index++;
        DmaMapping mapping = _held[index];
        within = address - mapping.Start;
        count = (int)Math.Min((ulong)(length - 1), mapping.Last - address) + 1;
        return mapping;
    }
}
