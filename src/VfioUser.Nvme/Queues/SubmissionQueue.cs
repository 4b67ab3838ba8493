namespace VfioUser.Nvme;

/// <summary>A submission queue: a ring in guest memory that the driver fills. NVMe 1.4 4.1.</summary>
/// <remarks>One thread fetches; completions come from any.</remarks>
internal sealed class SubmissionQueue
{
    private readonly Dma _dma;
    private uint _head;
    private long _fetched;
    private bool _isUnreachable;

    public SubmissionQueue(Dma dma, in SubmissionQueueState state, CompletionQueue completions, Doorbell tail)
    {
        _dma = dma;
        Id = state.Id;
        Address = state.Address;
        Size = (int)state.Size;
        Completions = completions;
        Tail = tail;
        _head = state.Head;
    }

    public ushort Id { get; }

    public ulong Address { get; }

    /// <summary>In entries.</summary>
    public int Size { get; }

    public CompletionQueue Completions { get; }

    public Doorbell Tail { get; }

    /// <summary>Commands that were fetched and are not completed. Closed, nothing is fetched any more.</summary>
    public RundownGuard InFlight { get; } = new();

    /// <summary>Who fetches; null for the admin thread.</summary>
    public IQueueWorker? Worker { get; set; }

    /// <summary>Whether its memory was unmapped at the last poll. A client unmaps and maps again what it moves or splits;
    /// a queue that never had memory is the driver's mistake.</summary>
    public bool IsUnreachable => Volatile.Read(ref _isUnreachable);

    public ushort Head => (ushort)Volatile.Read(ref _head);

    public NvmeQueueFigures Figures =>
        new(Id, Size, (int)((Tail.Value + (uint)Size - Head) % (uint)Size), InFlight.Users, Volatile.Read(ref _fetched));

    public SubmissionQueueState State => new(Address, Id, Completions.Id, (uint)Size, _head, Tail.Newest);

    /// <summary>How many commands wait to be fetched.</summary>
    public int Pending() => InFlight.IsOpen ? (int)((Tail.Poll() + (uint)Size - _head) % (uint)Size) : 0;

    /// <summary>Looks again whether memory that was gone is back.</summary>
    public bool IsReachable() => !IsUnreachable || _dma.TryRead<ulong>(new Iova(Address) + (ulong)_head * Command.WireSize, out _);

    /// <summary>Fetches commands that wait, as many as there is room for their completions.</summary>
    /// <param name="entries">A multiple of the size of one.</param>
    /// <param name="count">How many were fetched; they are in flight then.</param>
    /// <returns>What became of reading the queue; nothing was fetched unless it is done.</returns>
    public DmaResult Fetch(Span<byte> entries, out int count)
    {
        count = Math.Min(Pending(), entries.Length / Command.WireSize);
        count = Math.Min(count, Size - (int)_head);
        if (count == 0)
            return DmaResult.Done;
        count = Completions.Reserve(count);
        if (count == 0)
            return DmaResult.Done;
        if (!InFlight.TryEnter(count))
        {
            Completions.Release(count);
            count = 0;
            return DmaResult.Done;
        }
        DmaResult read = _dma.TryRead(new Iova(Address) + (ulong)_head * Command.WireSize, entries[..(count * Command.WireSize)]);
        if (!read)
        {
            Abandon(count);
            count = 0;
            bool isGone = read.IsBadAddress && _fetched > 0;
            Volatile.Write(ref _isUnreachable, isGone);
            return InFlight.IsOpen && !isGone ? read : DmaResult.Done;
        }
        Volatile.Write(ref _isUnreachable, false);
        Volatile.Write(ref _fetched, _fetched + count);
        uint head = _head + (uint)count;
        Volatile.Write(ref _head, head == Size ? 0 : head);
        return DmaResult.Done;
    }

    /// <summary>Completes a command that was fetched.</summary>
    /// <returns>What became of writing to the completion queue.</returns>
    public DmaResult Complete(ushort commandId, Status status, uint result)
    {
        try
        {
            return Completions.Post(result, Head, Id, commandId, status);
        }
        finally
        {
            InFlight.Exit();
        }
    }

    /// <summary>A command that was fetched gets no completion, now or at all.</summary>
    public void Abandon(int count)
    {
        Completions.Release(count);
        InFlight.Exit(count);
    }
}
