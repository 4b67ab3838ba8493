namespace VfioUser;

/// <content>Guest memory that is held for longer than one access.</content>
public sealed partial class Dma
{
    /// <summary>Holds guest memory for longer than one access.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; the range may span regions.</param>
    /// <param name="writable">Whether the device will write as well as read.</param>
    /// <param name="lease">Dispose it soon: the client's unmap waits for it. On failure, one that has ended.</param>
    /// <returns>Done if all bytes are mapped readable, and writable when <paramref name="writable"/> asks for it. Otherwise why and where
    /// not.</returns>
    /// <remarks>Any thread; so is the lease. Allocates nothing for up to 64 leases of a region at a time, and 16 that span regions, of up to
    /// 64 each, once there were as many before; more need an object.</remarks>
    public DmaResult TryLease(Iova address, ulong length, bool writable, out DmaLease lease)
    {
        // nearly always in one region
        if (length > 0 && _reachable.Find(address.Value) is { IsReadable: true } region && length - 1 <= region.Last - address.Value
            && (!writable || region.IsWritable) && region.TryTakeLease(this, out ulong generation) is { } slot)
        {
            region.Meter?.Leased();
            lease = Begin(slot, generation, address, length, writable);
            return DmaResult.Done;
        }
        return LeaseSeveral(address, length, writable, out lease);
    }

    /// <summary>For leases over several regions.</summary>
    internal LeaseSlotPool SeveralSlots { get; }

    private DmaResult LeaseSeveral(Iova address, ulong length, bool writable, out DmaLease lease)
    {
        lease = default;
        if (Wraps(address, length))
            return Overflow(address.Value);
        Current regions = new(this);
        LeaseSlot slot = SeveralSlots.Take();
        DmaMeter? meter = null;
        ulong at = address.Value;
        for (ulong left = length; left > 0;)
        {
            GuestRegion? region = regions.Hold(at, writable);
            if (region is not { IsReadable: true })
            {
                region?.Exit();
                slot.Abandon();
                return Missing(at, region is null && writable);
            }
            slot.Add(region);
            meter ??= region.Meter;
            ulong count = Math.Min(left - 1, region.Last - at) + 1;
            left -= count;
            at = unchecked(at + count);
        }
        meter?.Leased();
        lease = Begin(slot, slot.Begin(), address, length, writable);
        return DmaResult.Done;
    }

    private DmaLease Begin(LeaseSlot slot, ulong generation, Iova address, ulong length, bool writable)
    {
        slot.Set(address, length, writable);
        DmaLease lease = new(slot, generation);
        if (Holds is { } holds && length > 0)
            holds.Add(lease, $"a lease of {length} bytes at {address}");
        return lease;
    }
}
