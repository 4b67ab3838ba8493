namespace VfioUser.Nvme;

/// <summary>A completion queue: a ring in guest memory that the controller fills. NVMe 1.4 4.1.</summary>
/// <remarks>
/// Any thread. Room is reserved before a command is fetched, so that its completion always finds a place: a driver that
/// does not empty the queue stops the fetching and nothing else.
/// </remarks>
internal sealed class CompletionQueue
{
    // while the driver moves its head at the same time
    private const int MaxPolls = 16;

    private readonly Lock _lock = new();
    private readonly Dma _dma;
    private readonly Action _wake;
    private uint _head; // the newest one that is not ahead of the tail
    private uint _tail;
    private uint _reserved;
    private bool _phase;
    private int _starved;
    private Queue<Entry>? _held; // made when memory goes
    private bool _wasReached;

    /// <param name="dma">Where it lies.</param>
    /// <param name="state">Where it stands.</param>
    /// <param name="head">Its doorbell.</param>
    /// <param name="wake">Wakes all who may wait for room.</param>
    public CompletionQueue(Dma dma, in CompletionQueueState state, Doorbell head, Action wake)
    {
        _dma = dma;
        _wake = wake;
        Id = state.Id;
        Address = state.Address;
        Size = (int)state.Size;
        InterruptsEnabled = state.InterruptsEnabled != 0;
        Vector = state.Vector;
        Head = head;
        _head = state.Head;
        _tail = state.Tail;
        _phase = state.Phase != 0;
    }

    public ushort Id { get; }

    public ulong Address { get; }

    /// <summary>In entries.</summary>
    public int Size { get; }

    public bool InterruptsEnabled { get; }

    public ushort Vector { get; }

    public Doorbell Head { get; }

    /// <summary>Submission queues that complete here. Changed by the admin thread.</summary>
    public int Users { get; set; }

    /// <summary>Whether somebody has found no room and has not been woken since.</summary>
    public bool IsStarved => Volatile.Read(ref _starved) != 0;

    /// <summary>There may be room: whoever waits for it is to be woken.</summary>
    /// <returns>Whether somebody waits.</returns>
    public bool TakeStarved() => IsStarved && Interlocked.Exchange(ref _starved, 0) != 0;

    public CompletionQueueState State
    {
        get
        {
            lock (_lock)
            {
                // a shadow doorbell moves with the guest's memory
                uint head = Head.Shadow is null ? Taken() : _head;
                return new CompletionQueueState(Address, Id, Vector, (uint)Size, head, _tail,
                    (byte)(_phase ? 1 : 0), (byte)(InterruptsEnabled ? 1 : 0), 0);
            }
        }
    }

    /// <summary>Whether the driver has not taken everything, as far as is known without polling its memory.</summary>
    public bool IsUnread => Head.Newest != Volatile.Read(ref _tail);

    /// <summary>Looks how far the driver has come where that stands in its memory, and has it tell when it goes on.</summary>
    /// <remarks>Not on the Command thread, where the memory may come by message.</remarks>
    public void PollMemory()
    {
        if (Head.Shadow is null)
            return;
        for (int i = 0; i < MaxPolls && Head.Poll() != Volatile.Read(ref _tail); i++)
        {
            if (IsArmed())
                return;
        }
    }

    /// <summary>Whether there is room for some more. If there is not, the driver tells when it has taken something.</summary>
    public bool HasRoomOrIsArmed(int wanted)
    {
        for (int i = 0; i < MaxPolls; i++)
        {
            lock (_lock)
            {
                if (HasRoom(wanted, wanted))
                    return true;
            }
            if (IsArmed())
                return false;
        }
        return true; // it moves all the time, without making room: poll again later
    }

    // a head that moved before it was armed tells nothing from then on
    private bool IsArmed() => Head.Arm() == Head.Poll();

    /// <summary>Entries that the driver has not taken.</summary>
    public int Untaken
    {
        get
        {
            lock (_lock)
                return (int)Distance(Taken(), _tail);
        }
    }

    /// <summary>Sets places aside.</summary>
    /// <returns>How many, at most as many as were wanted.</returns>
    public int Reserve(int wanted)
    {
        lock (_lock)
        {
            int count = HasRoom(wanted) ? wanted : Free;
            _reserved += (uint)count;
            return count;
        }
    }

    /// <summary>Gives places back that are not needed.</summary>
    public void Release(int count)
    {
        lock (_lock)
            _reserved -= (uint)count;
        if (TakeStarved())
            _wake();
    }

    /// <summary>Whether entries are held until its memory is mapped again.</summary>
    public bool HasHeld => Volatile.Read(ref _held) is { Count: > 0 };

    /// <summary>Puts an entry into a place that was set aside, or holds it if memory that was there is not mapped now.</summary>
    /// <returns>What became of writing it; done if it is held.</returns>
    public DmaResult Post(uint result, ushort sqHead, ushort sqId, ushort commandId, Status status)
    {
        lock (_lock)
        {
            Entry entry = new(result, sqHead, sqId, commandId, status);
            DmaResult written = HasHeld ? new DmaResult(DmaStatus.NotMapped) : Write(entry);
            if (written.IsBadAddress && _wasReached)
            {
                if (_held is null)
                    Volatile.Write(ref _held, new Queue<Entry>());
                _held!.Enqueue(entry);
                return DmaResult.Done;
            }
            Advance();
            return written;
        }
    }

    /// <summary>Posts what is held, as far as its memory is mapped.</summary>
    /// <returns>Whether there was something.</returns>
    public bool PostHeld()
    {
        lock (_lock)
        {
            bool posted = false;
            while (HasHeld && Write(_held!.Peek()))
            {
                _held.Dequeue();
                Advance();
                posted = true;
            }
            return posted;
        }
    }

    private DmaResult Write(in Entry entry)
    {
        Iova place = new Iova(Address) + (ulong)_tail * Completion.WireSize;
        ulong upper = entry.SqHead | (ulong)entry.SqId << 16 | (ulong)entry.CommandId << 32
            | (ulong)(entry.Status.Field() << 1 | (_phase ? 1 : 0)) << 48;
        // the half with the phase tag last and in one piece: whoever sees it sees the rest too
        DmaResult written = _dma.TryWrite(place, (ulong)entry.Result);
        Interlocked.MemoryBarrier();
        return written ? _dma.TryWrite(place + sizeof(ulong), upper) : written;
    }

    private void Advance()
    {
        _wasReached = true;
        _reserved--;
        uint next = _tail + 1 == Size ? 0 : _tail + 1;
        if (next == 0)
            _phase = !_phase;
        Volatile.Write(ref _tail, next);
    }

    // Under the lock, as are all below. Entries that are neither untaken nor set aside.
    private int Free => (int)((uint)Size - 1 - Distance(_head, _tail) - _reserved);

    private bool HasRoom(int wanted, int least = 1)
    {
        if (Free < wanted)
            Taken();
        if (Free >= least)
            return Free >= wanted;
        // whoever makes room from here on sees that somebody waits
        Volatile.Write(ref _starved, 1);
        Interlocked.MemoryBarrier();
        Taken();
        return Free >= wanted;
    }

    // How far the driver has come. A head ahead of the tail would have taken what was never there: it is ignored, for places
    // that are set aside must stay places.
    private uint Taken()
    {
        uint head = Head.Poll();
        if (Distance(_head, head) <= Distance(_head, _tail))
            _head = head;
        else
            Head.Refuse(head);
        return _head;
    }

    private readonly record struct Entry(uint Result, ushort SqHead, ushort SqId, ushort CommandId, Status Status);

    private uint Distance(uint from, uint to) => to >= from ? to - from : to + (uint)Size - from;
}
