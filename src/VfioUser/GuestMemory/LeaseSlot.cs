using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Holds the memory of a lease. Most slots belong to a DMA region, for one lease after the other; each lease has its own
/// generation, so that a lease that has ended finds out.</summary>
/// <remarks>
/// Any thread. A slot of a region is a user of it for as long as the slot is kept, also without a lease: so a lease takes and gives
/// back with one atomic step each. The region retires its slots when it is unmapped; the last to use a retired slot exits the region.
/// <code>
/// 63           22       21      20      19      0
/// | generation | retired | held | uses, as copies |
/// </code>
/// </remarks>
internal sealed class LeaseSlot
{
    private const int GenerationShift = 22;
    private const ulong Retired = 1ul << 21;
    private const ulong Held = 1ul << 20;
    private const ulong Uses = Held - 1;

    private readonly GuestRegion? _first;
    private readonly int _index;
    private GuestRegion?[] _several = []; // of a lease over several regions, which has no first
    private int _count; // of those
    private ulong _state;

    private LeaseSlot(Dma dma, GuestRegion? first, int index, ulong state)
    {
        Dma = dma;
        _first = first;
        _index = index;
        _state = state;
    }

    /// <summary>Where its leases are taken.</summary>
    public Dma Dma { get; }

    /// <summary>First byte of the lease.</summary>
    public Iova Address { get; private set; }

    /// <summary>Of the lease, in bytes.</summary>
    public ulong Length { get; private set; }

    public bool IsWritable { get; private set; }

    /// <summary>A slot of a region, taken by its first lease, of generation 0.</summary>
    /// <param name="dma">Where its leases are taken.</param>
    /// <param name="region">Entered for the slot.</param>
    /// <param name="index">For the region, to find it again.</param>
    public static LeaseSlot Of(Dma dma, GuestRegion region, int index) => new(dma, region, index, Held);

    /// <summary>A slot for one lease, of generation 0.</summary>
    /// <param name="dma">Where the lease is taken.</param>
    /// <param name="region">Entered for the lease.</param>
    public static LeaseSlot Once(Dma dma, GuestRegion region) => new(dma, region, 0, Held | Retired);

    /// <summary>A slot without a region, for leases over any number of them, one after the other: it goes back to the device's
    /// <see cref="LeaseSlotPool"/> when a lease has ended and nobody uses it any more.</summary>
    /// <param name="dma">Where the leases are taken.</param>
    public static LeaseSlot Several(Dma dma) => new(dma, null, 0, Retired);

    /// <summary>Begins a lease of a slot of several regions, which nobody else has.</summary>
    /// <returns>Its generation.</returns>
    public ulong Begin()
    {
        ulong state = Volatile.Read(ref _state);
        Volatile.Write(ref _state, state | Held);
        return state >> GenerationShift;
    }

    /// <summary>Adds a region that was entered for the lease, before the lease begins.</summary>
    public void Add(GuestRegion region)
    {
        if (_count == _several.Length)
            Array.Resize(ref _several, Math.Max(4, 2 * _count));
        _several[_count++] = region;
    }

    /// <summary>Exits the regions of a slot of several, and gives it back, when no lease of it can begin.</summary>
    public void Abandon() => ExitRegions();

    /// <summary>Takes the slot for a lease.</summary>
    /// <returns>False if it is in use or retired.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(out ulong generation)
    {
        ulong state = Volatile.Read(ref _state);
        generation = state >> GenerationShift;
        return (state & (Retired | Held | Uses)) == 0 && Interlocked.CompareExchange(ref _state, state | Held, state) == state;
    }

    /// <summary>Sets what the lease is of. By the one who took the slot, before anybody else knows of the lease.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set(Iova address, ulong length, bool writable)
    {
        Address = address;
        Length = length;
        IsWritable = writable;
    }

    public bool IsHeld(ulong generation)
    {
        ulong state = Volatile.Read(ref _state);
        return (state & Held) != 0 && state >> GenerationShift == generation;
    }

    /// <summary>Begins an access of a lease, which keeps the memory until <see cref="Exit"/>.</summary>
    /// <returns>False if the lease has ended.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter(ulong generation)
    {
        ulong state = Volatile.Read(ref _state);
        while ((state & Held) != 0 && state >> GenerationShift == generation)
        {
            ulong seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
                return true;
            state = seen;
        }
        return false;
    }

    /// <summary>Ends an access.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit()
    {
        ulong state = Interlocked.Decrement(ref _state);
        if ((state & (Held | Uses)) == 0)
            LetGo(state);
    }

    /// <summary>Ends a lease. Accesses in progress keep the memory.</summary>
    /// <returns>False if it has ended before.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool End(ulong generation)
    {
        ulong state = Volatile.Read(ref _state);
        while ((state & Held) != 0 && state >> GenerationShift == generation)
        {
            ulong next = unchecked((state & ~Held) + (1ul << GenerationShift));
            ulong seen = Interlocked.CompareExchange(ref _state, next, state);
            if (seen == state)
            {
                if ((next & Uses) == 0)
                    LetGo(next);
                return true;
            }
            state = seen;
        }
        return false;
    }

    /// <summary>Lets no new lease take the slot. The region is exited now, or with the lease that has it.</summary>
    public void Retire()
    {
        if ((Interlocked.Or(ref _state, Retired) & (Retired | Held | Uses)) == 0)
            ExitRegions();
    }

    /// <summary>The region of an address of the lease, for one who has entered.</summary>
    public GuestRegion RegionOf(ulong address)
    {
        if (_first is { } only)
            return only;
        int at = 0;
        while (address > _several[at]!.Last)
            at++; // they are in the order of their addresses, and without gaps
        return _several[at]!;
    }

    // neither held nor used: by the one whose step made it so
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void LetGo(ulong state)
    {
        if ((state & Retired) != 0)
            ExitRegions();
        else if (_index != 0)
            _first!.LeaseEnded(_index);
    }

    private void ExitRegions()
    {
        if (_first is { } only)
        {
            only.Exit();
            return;
        }
        for (int i = 0; i < _count; i++)
        {
            _several[i]!.Exit();
            _several[i] = null; // a region that is unmapped is not kept
        }
        _count = 0;
        if (_several.Length <= LeaseSlotPool.MostRegions)
            Dma.SeveralSlots.Return(this);
    }
}
