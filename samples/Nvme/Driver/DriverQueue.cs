using VfioUser;
using VfioUser.Nvme;
using VfioUser.Testing;

namespace Nvme.Driver;

/// <summary>A driver's side of a queue pair: rings in guest memory, phase tag, doorbells.</summary>
/// <remarks>One thread.</remarks>
internal sealed class DriverQueue
{
    private readonly NvmeDriver _driver;
    private readonly GuestRam _memory;
    private readonly GuestIrq? _irq;
    private uint _tail;
    private uint _head;
    private bool _phase = true;
    private ushort _nextId;

    public DriverQueue(NvmeDriver driver, ushort id, int entries, GuestIrq? irq)
    {
        _driver = driver;
        _memory = driver.Guest.Memory;
        _irq = irq;
        Id = id;
        Entries = entries;
        Submissions = _memory.Allocate((ulong)entries * Command.WireSize);
        Completions = _memory.Allocate((ulong)entries * Completion.WireSize);
        Clear();
    }

    /// <summary>A queue after its guest has migrated to another host.</summary>
    public DriverQueue(NvmeDriver driver, DriverQueue source, GuestIrq? irq)
    {
        _driver = driver;
        _memory = driver.Guest.Memory;
        _irq = irq;
        (Id, Entries, Submissions, Completions) = (source.Id, source.Entries, source.Submissions, source.Completions);
        (_tail, _head, _phase, _nextId) = (source._tail, source._head, source._phase, source._nextId);
    }

    public ushort Id { get; }

    public int Entries { get; }

    /// <summary>Address of the submission queue.</summary>
    public Iova Submissions { get; }

    /// <summary>Address of the completion queue.</summary>
    public Iova Completions { get; }

    /// <summary>The submission queue's head in the last completion.</summary>
    public ushort SqHead { get; private set; }

    public uint Tail => _tail;

    public GuestIrq? Irq => _irq;

    /// <summary>Puts a command into the queue, with a new id, and writes the doorbell.</summary>
    /// <returns>The id.</returns>
    public ushort Submit(in Command command)
    {
        ushort id = Put(command);
        Ring();
        return id;
    }

    /// <summary>Puts a command into the queue without writing the doorbell.</summary>
    public ushort Put(in Command command) => PutAs(_nextId++, command);

    /// <summary>As <see cref="Put"/>, with an id of the caller's.</summary>
    public ushort PutAs(ushort id, in Command command)
    {
        _memory.WriteStruct(Submissions + _tail * Command.WireSize, command with { Id = id });
        _tail = (_tail + 1) % (uint)Entries;
        return id;
    }

    /// <summary>Writes the tail doorbell.</summary>
    public void Ring() => _driver.RingTail(Id, _tail);

    /// <summary>Takes a completion if there is one.</summary>
    /// <param name="ring">Whether to write the head doorbell, which frees the entry.</param>
    /// <param name="completion">The completion.</param>
    public bool TryTake(out Completion completion, bool ring = true)
    {
        completion = _memory.Read<Completion>(Completions + _head * Completion.WireSize);
        if (completion.Phase != _phase)
            return false;
        // read the entry again: its other fields may have been read before the phase tag was written
        Interlocked.MemoryBarrier();
        completion = _memory.Read<Completion>(Completions + _head * Completion.WireSize);
        SqHead = completion.SqHead;
        if (++_head == Entries)
        {
            _head = 0;
            _phase = !_phase;
        }
        if (ring)
            RingHead();
        return true;
    }

    /// <summary>Writes the head doorbell.</summary>
    public void RingHead() => _driver.RingHead(Id, _head);

    /// <summary>Waits for a completion.</summary>
    /// <exception cref="TestGuestException">None came.</exception>
    public Completion Take(bool ring = true)
    {
        while (true)
        {
            int seen = _irq?.Count ?? 0;
            bool taken = TryTake(out Completion completion, ring);
            // INTx is automasked
            if (!_driver.UsesMsiX)
                _irq?.Unmask();
            if (taken)
                return completion;
            if (_irq is null)
                Thread.Yield();
            else
                _irq.WaitFor(seen + 1);
        }
    }

    /// <summary>Submits a command and waits for its completion, the next one of this queue.</summary>
    public Completion Execute(in Command command)
    {
        ushort id = Submit(command);
        Completion completion = Take();
        return completion.CommandId == id ? completion
            : throw new InvalidOperationException($"Queue {Id} completed command {completion.CommandId} where {id} was waited for.");
    }

    /// <summary>Empties the queue after a reset of the controller.</summary>
    public void Clear()
    {
        (_tail, _head, _phase) = (0, 0, true);
        _memory.Write(Completions, new byte[Entries * Completion.WireSize]);
    }
}
