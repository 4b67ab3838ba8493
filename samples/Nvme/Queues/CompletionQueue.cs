using Nvme.Doorbells;
using Nvme.Wire;
using VfioUser;

namespace Nvme.Queues;

/// <summary>A completion queue: a ring in guest memory that the controller fills. NVMe 1.4 4.1.</summary>
/// <remarks>
/// Any thread. Room is reserved before a command is fetched, so that its completion always finds a place: a driver that
/// does not empty the queue stops the fetching and nothing else.
/// </remarks>
internal sealed class CompletionQueue
{
    private readonly Lock _lock = new();
    private readonly Dma _dma;
    private uint _tail;
    private uint _reserved;
    private bool _phase;
    private bool _starved;

    public CompletionQueue(Dma dma, in CompletionQueueState state, Doorbell head)
    {
        _dma = dma;
        Id = state.Id;
        Address = state.Address;
        Size = (int)state.Size;
        InterruptsEnabled = state.InterruptsEnabled != 0;
        Vector = state.Vector;
        Head = head;
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

    /// <summary>Whether somebody waits for room.</summary>
    public bool IsStarved => Volatile.Read(ref _starved);

    public CompletionQueueState State
    {
        get
        {
            lock (_lock)
            {
                return new CompletionQueueState(Address, Id, Vector, (uint)Size, Head.Newest, _tail,
                    (byte)(_phase ? 1 : 0), (byte)(InterruptsEnabled ? 1 : 0), 0);
            }
        }
    }

    /// <summary>Whether the driver has not taken everything, as far as is known without a look at its memory.</summary>
    public bool IsUnread => Head.Newest != Volatile.Read(ref _tail);

    /// <summary>Looks how far the driver has come where that stands in its memory, and has it tell when it goes on.</summary>
    /// <remarks>Not on the Command thread, where the memory may come by message.</remarks>
    public void LookInMemory()
    {
        if (Head.Shadow is null)
            return;
        uint head = Head.Look();
        while (head != Volatile.Read(ref _tail))
        {
            // a head that moves meanwhile has passed the place that was armed, and tells nothing from then on
            Head.Arm();
            uint armed = head;
            if ((head = Head.Look()) == armed)
                return;
        }
    }

    /// <summary>Entries that the driver has not taken.</summary>
    public int Untaken
    {
        get
        {
            lock (_lock)
                return (int)((_tail + (uint)Size - Head.Look()) % (uint)Size);
        }
    }

    /// <summary>Sets places aside.</summary>
    /// <returns>How many, at most as many as were wanted.</returns>
    public int Reserve(int wanted)
    {
        lock (_lock)
        {
            int free = Free(Head.Value);
            if (free < wanted)
                free = Free(Head.Look());
            int count = Math.Min(free, wanted);
            _reserved += (uint)count;
            Volatile.Write(ref _starved, count == 0);
            return count;
        }
    }

    /// <summary>Gives places back that are not needed.</summary>
    public void Release(int count)
    {
        lock (_lock)
            _reserved -= (uint)count;
    }

    /// <summary>Puts an entry into a place that was set aside.</summary>
    /// <returns>What became of writing it.</returns>
    public DmaResult Post(uint result, ushort sqHead, ushort sqId, ushort commandId, Status status)
    {
        lock (_lock)
        {
            _reserved--;
            Iova entry = new Iova(Address) + (ulong)_tail * Completion.WireSize;
            ulong upper = sqHead | (ulong)sqId << 16 | (ulong)commandId << 32
                | (ulong)(status.Field() << 1 | (_phase ? 1 : 0)) << 48;
            // the half with the phase tag last and in one piece: whoever sees it sees the rest too
            DmaResult written = _dma.Write(entry, (ulong)result);
            Interlocked.MemoryBarrier();
            if (written == DmaResult.Done)
                written = _dma.Write(entry + sizeof(ulong), upper);
            uint next = _tail + 1 == Size ? 0 : _tail + 1;
            if (next == 0)
                _phase = !_phase;
            Volatile.Write(ref _tail, next);
            return written;
        }
    }

    private int Free(uint head)
    {
        uint used = (_tail + (uint)Size - head) % (uint)Size;
        return (int)((uint)Size - 1 - used) - (int)_reserved;
    }
}
