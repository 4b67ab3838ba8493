namespace VfioUser;

/// <summary>Slots for leases over several regions, so that such a lease needs no new object.</summary>
/// <remarks>Any thread. Whoever takes a slot is the only one who has it.</remarks>
internal sealed class LeaseSlotPool(Dma dma)
{
    /// <summary>Most regions of a slot that is kept.</summary>
    public const int MostRegions = 64;

    private const int Most = 16;

    private readonly LeaseSlot?[] _free = new LeaseSlot?[Most];

    /// <summary>Takes a free slot, or makes one.</summary>
    public LeaseSlot Take()
    {
        for (int i = 0; i < _free.Length; i++)
        {
            if (Volatile.Read(ref _free[i]) is not null && Interlocked.Exchange(ref _free[i], null) is { } slot)
                return slot;
        }
        return LeaseSlot.Several(dma);
    }

    /// <summary>Keeps a slot, if there is room.</summary>
    /// <param name="slot">Nobody uses it.</param>
    public void Return(LeaseSlot slot)
    {
        for (int i = 0; i < _free.Length; i++)
        {
            if (Volatile.Read(ref _free[i]) is null && Interlocked.CompareExchange(ref _free[i], slot, null) is null)
                return;
        }
    }
}
