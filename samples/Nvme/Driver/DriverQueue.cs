using Nvme.Wire;
using VfioUser;
using VfioUser.Testing;

namespace Nvme.Driver;

/// <summary>A queue pair as a driver has it: rings in guest memory, phase tag, doorbells.</summary>
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

    /// <summary>A queue that has moved to another host with its guest.</summary>
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

    /// <summary>Where the submission queue lies.</summary>
    public Iova Submissions { get; }

    /// <summary>Where the completion queue lies.</summary>
    public Iova Completions { get; }

    /// <summary>What the controller said last: how far it has come.</summary>
    public ushort SqHead { get; private set; }

    public uint Tail => _tail;

    public GuestIrq? Irq => _irq;

    /// <summary>Puts a command into the queue, with an id of its own, and rings.</summary>
    /// <returns>The id.</returns>
    public ushort Submit(in Command command)
    {
        ushort id = Put(command);
        Ring();
        return id;
    }

    /// <summary>Puts a command into the queue without ringing.</summary>
    public ushort Put(in Command command) => PutAs(_nextId++, command);

    /// <summary>As <see cref="Put"/>, with an id of the caller's.</summary>
    public ushort PutAs(ushort id, in Command command)
    {
        _memory.Write(Submissions + _tail * Command.WireSize, command with { Id = id });
        _tail = (_tail + 1) % (uint)Entries;
        return id;
    }

    /// <summary>Tells the controller of all that was put.</summary>
    public void Ring() => _driver.RingTail(Id, _tail);

    /// <summary>Takes a completion if there is one.</summary>
    /// <param name="ring">Whether the controller learns that its place is free again.</param>
    /// <param name="completion">The completion.</param>
    public bool TryTake(out Completion completion, bool ring = true)
    {
        completion = _memory.Read<Completion>(Completions + _head * Completion.WireSize);
        if (completion.Phase != _phase)
            return false;
        // what stood beside the phase tag may be older than it
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

    /// <summary>Tells the controller what was taken.</summary>
    public void RingHead() => _driver.RingHead(Id, _head);

    /// <summary>Waits for a completion.</summary>
    /// <exception cref="TestGuestException">None came.</exception>
    public Completion Take(bool ring = true)
    {
        while (true)
        {
            int seen = _irq?.Count ?? 0;
            bool taken = TryTake(out Completion completion, ring);
            // the pin masks itself when it comes, for whichever reason
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

    /// <summary>As new, for the controller was reset.</summary>
    public void Clear()
    {
        (_tail, _head, _phase) = (0, 0, true);
        _memory.Write(Completions, new byte[Entries * Completion.WireSize]);
    }
}
