namespace VfioUser.Virtio;

/// <summary>A buffer of the driver's: memory to read, then memory to write. The device gives it back with <see cref="Complete"/>.</summary>
/// <remarks>
/// <para>One thread at a time; any thread. The object and its lists belong to the queue: after <see cref="Complete"/> it may be another
/// buffer, so do not use it any more.</para>
/// <para>The guest changes the memory at any time: read what decides something once. Nothing of the chain says that its addresses are
/// valid; that is a result of each access.</para>
/// <para>VIRTIO 1.3 2.6 "Virtqueues".</para>
/// </remarks>
public sealed class VirtioChain
{
    private const int Free = 0;
    private const int Taken = 1;
    private const int Abandoned = 2;

    private readonly VirtioQueue _queue;
    private int _state;

    internal VirtioChain(VirtioQueue queue, Dma dma)
    {
        _queue = queue;
        Readable = new DmaList(dma);
        Writable = new DmaList(dma);
    }

    /// <summary>What the driver has written for the device. Read or pin it; do not change it.</summary>
    public DmaList Readable { get; }

    /// <summary>Where the device writes its answer. Write or pin it.</summary>
    public DmaList Writable { get; }

    /// <summary>The queue that it came from.</summary>
    public VirtioQueue Queue => _queue;

    /// <summary>The driver's name for it.</summary>
    internal ushort Id { get; set; }

    /// <summary>Counts the buffers that were taken from the queue.</summary>
    internal uint Order { get; set; }

    /// <summary>How many entries of the ring it takes.</summary>
    internal int Slots { get; set; }

    /// <summary>What could be reached before it was taken: <see cref="Dma.Generation"/>.</summary>
    internal long Generation { get; set; }

    /// <summary>How many ranges of memory it has.</summary>
    internal int Ranges => Readable.Count + Writable.Count;

    /// <summary>Bytes that the device has written.</summary>
    internal uint Written { get; private set; }

    /// <summary>Gives the buffer back to the driver.</summary>
    /// <param name="written">How many bytes from the beginning of <see cref="Writable"/> were written: 0 to its length.</param>
    /// <exception cref="InvalidOperationException">It was given back before.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is not as much memory to write.</exception>
    /// <remarks>Any thread; does not block. Dispose pins of the memory first. If the driver has reset the device meanwhile, or the handler
    /// that took the buffer has thrown, nothing happens. VIRTIO 1.3 2.7.8, 2.8.6.</remarks>
    public void Complete(long written = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(written);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(written, Writable.Length);
        if (Interlocked.CompareExchange(ref _state, Free, Taken) is not Taken and var state)
        {
            if (state == Abandoned)
                return;
            throw new InvalidOperationException("The chain was completed before.");
        }
        Written = (uint)written;
        _queue.Completed(this);
    }

    /// <summary>It has a new buffer.</summary>
    internal void Begin() => Volatile.Write(ref _state, Taken);

    /// <summary>Its buffer is left in the ring.</summary>
    /// <returns>Whether it had one.</returns>
    internal bool TryPutBack() => Interlocked.CompareExchange(ref _state, Free, Taken) == Taken;

    /// <summary>Nobody answers its buffer: the handler that has taken it has thrown. It has no other buffer from now on.</summary>
    /// <returns>Whether it had one.</returns>
    internal bool Abandon() => Interlocked.CompareExchange(ref _state, Abandoned, Taken) == Taken;

    internal void Clear()
    {
        Readable.Clear();
        Writable.Clear();
        (Id, Slots, Written) = (0, 0, 0);
    }
}
