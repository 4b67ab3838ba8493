using Nvme.Controller;
using Nvme.Doorbells;
using Nvme.Threads;
using Nvme.Wire;
using VfioUser;

namespace Nvme.Queues;

/// <summary>A submission queue: a ring in guest memory that the driver fills. NVMe 1.4 4.1.</summary>
/// <remarks>One thread fetches; completions come from any.</remarks>
internal sealed class SubmissionQueue
{
    private readonly Dma _dma;
    private uint _head;
    private bool _stopped;
    private long _fetched;

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

    /// <summary>Commands that were fetched and are not completed.</summary>
    public InFlight InFlight { get; } = new();

    /// <summary>Who fetches; null for the admin thread.</summary>
    public IoWorker? Worker { get; set; }

    public ushort Head => (ushort)Volatile.Read(ref _head);

    public QueueFigures Figures =>
        new(Id, Size, (int)((Tail.Value + (uint)Size - Head) % (uint)Size), InFlight.Count, Volatile.Read(ref _fetched));

    public SubmissionQueueState State => new(Address, Id, Completions.Id, (uint)Size, _head, Tail.Newest);

    /// <summary>Nothing is fetched any more. Who looks at what is in flight after this sees all of it.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopped, true);
        Interlocked.MemoryBarrier();
    }

    public void Continue() => Volatile.Write(ref _stopped, false);

    /// <summary>How many commands wait to be fetched.</summary>
    public int Pending() => Volatile.Read(ref _stopped) ? 0 : (int)((Tail.Look() + (uint)Size - _head) % (uint)Size);

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
        // before the look at whether the queue is stopped: who stops it counts afterwards
        InFlight.Add(count);
        bool stopped = Volatile.Read(ref _stopped);
        DmaResult read = stopped
            ? DmaResult.Done
            : _dma.Read(new Iova(Address) + (ulong)_head * Command.WireSize, entries[..(count * Command.WireSize)]);
        if (stopped || read != DmaResult.Done)
        {
            Completions.Release(count);
            InFlight.Remove(count);
            count = 0;
            return Volatile.Read(ref _stopped) ? DmaResult.Done : read;
        }
        Volatile.Write(ref _fetched, _fetched + count);
        uint head = _head + (uint)count;
        Volatile.Write(ref _head, head == Size ? 0 : head);
        return DmaResult.Done;
    }

    /// <summary>Completes a command that was fetched.</summary>
    /// <returns>What became of writing to the completion queue.</returns>
    public DmaResult Complete(ushort commandId, Status status, uint result)
    {
        DmaResult posted = Completions.Post(result, Head, Id, commandId, status);
        InFlight.Remove(1);
        return posted;
    }

    /// <summary>A command that was fetched gets no completion, now or at all.</summary>
    public void Abandon(int count)
    {
        Completions.Release(count);
        InFlight.Remove(count);
    }
}
