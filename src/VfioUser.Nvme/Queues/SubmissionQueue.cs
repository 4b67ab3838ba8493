using System.Runtime.InteropServices;

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

    /// <summary>How many commands are fetched at least, if there is room: two, when the next ones belong together.</summary>
    public int Needed { get; private set; } = 1;

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
        int pending = Pending();
        count = Math.Min(pending, entries.Length / Command.WireSize);
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
        if (pending > count && IsFirstOfTwo(entries, count) && !TryFetchSecond(entries, ref count))
        {
            // both or none. What is left is fetched from the first of them on
            Abandon(1);
            count--;
            Needed = count == 0 ? 2 : 1;
            if (count == 0)
                return DmaResult.Done;
        }
        else
        {
            Needed = 1;
        }
        Volatile.Write(ref _isUnreachable, false);
        Volatile.Write(ref _fetched, _fetched + count);
        Volatile.Write(ref _head, (uint)((_head + count) % Size));
        return DmaResult.Done;
    }

    // The first command of a fused operation, whose second has come with it. A completion queue without room for two has it fail.
    private bool IsFirstOfTwo(ReadOnlySpan<byte> entries, int count) =>
        Id != 0 && Completions.Size > 2 && MemoryMarshal.Read<Command>(entries[((count - 1) * Command.WireSize)..]).Fuse == 1;

    // It is at the ring's beginning, or beyond what was to be fetched.
    private bool TryFetchSecond(Span<byte> entries, ref int count)
    {
        if (entries.Length < (count + 1) * Command.WireSize || Completions.Reserve(1) == 0)
            return false;
        uint place = (uint)((_head + count) % Size);
        if (InFlight.TryEnter())
        {
            if (_dma.TryRead(new Iova(Address) + (ulong)place * Command.WireSize, entries.Slice(count * Command.WireSize, Command.WireSize)))
            {
                count++;
                return true;
            }
            InFlight.Exit();
        }
        Completions.Release(1);
        return false;
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
