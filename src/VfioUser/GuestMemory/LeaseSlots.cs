using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>The slots of a DMA region for its leases, so that a lease needs no new object.</summary>
/// <remarks>Any thread. A mutable struct: use it as a field, never copy it.</remarks>
internal struct LeaseSlots
{
    /// <summary>Most slots. More leases at a time get slots for one lease each.</summary>
    public const int Most = 64;

    private LeaseSlot? _first; // index 0: all that most regions need
    private LeaseSlot?[]? _others;
    private int _count; // of the others
    private int _likelyFree; // an index of them

    /// <summary>Takes a slot for a lease.</summary>
    /// <param name="dma">Where the lease is taken.</param>
    /// <param name="region">The region that this belongs to.</param>
    /// <param name="generation">Of the lease.</param>
    /// <returns>Null once the region is closed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LeaseSlot? TryTake(Dma dma, GuestRegion region, out ulong generation) =>
        _first is { } first && first.TryTake(out generation) ? first : TakeAnother(dma, region, out generation);

    /// <summary>A slot is free again.</summary>
    /// <param name="index">At least 1.</param>
    public void Ended(int index) => Volatile.Write(ref _likelyFree, index - 1);

    /// <summary>The region is closed: no lease is taken any more, and free slots exit it.</summary>
    public readonly void Retire()
    {
        Volatile.Read(in _first)?.Retire();
        if (Volatile.Read(in _others) is not { } others)
            return;
        for (int i = 0; i < others.Length; i++)
            Volatile.Read(ref others[i])?.Retire();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private LeaseSlot? TakeAnother(Dma dma, GuestRegion region, out ulong generation)
    {
        if (Volatile.Read(ref _first) is null)
            return Add(ref _first, dma, region, 0, out generation);
        LeaseSlot?[] others = Volatile.Read(ref _others) ?? Interlocked.CompareExchange(ref _others, new LeaseSlot?[Most - 1], null) ?? _others;
        int count = Volatile.Read(ref _count);
        int start = Volatile.Read(ref _likelyFree);
        for (int i = 0; i < count; i++)
        {
            int at = (start + i) % count;
            if (others[at] is { } slot && slot.TryTake(out generation))
            {
                Volatile.Write(ref _likelyFree, at + 1);
                return slot;
            }
        }
        if (count < others.Length)
            return Add(ref others[count], dma, region, count + 1, out generation);
        generation = 0;
        return region.TryEnter() ? LeaseSlot.Once(dma, region) : null;
    }

    private LeaseSlot? Add(ref LeaseSlot? place, Dma dma, GuestRegion region, int index, out ulong generation)
    {
        generation = 0;
        if (!region.TryEnter())
            return null;
        LeaseSlot slot = LeaseSlot.Of(dma, region, index);
        // another thread may have put its own there: then this one is for this lease only
        if (Interlocked.CompareExchange(ref place, slot, null) is not null)
        {
            slot.Retire();
            return slot;
        }
        if (index > 0)
            Interlocked.Increment(ref _count);
        // whoever has closed the region meanwhile may not have seen it
        if (!region.IsOpen)
            slot.Retire();
        return slot;
    }
}
