namespace VfioUser;

/// <content>Guest memory that is mapped into this process.</content>
public sealed partial class Dma
{
    /// <summary>Whether a range is mapped into this process now, so that an access makes no system call and sends no message.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; the range may span regions.</param>
    /// <param name="writable">Whether it must be writable; else readable.</param>
    /// <returns>False, too, while the guest has not enabled bus mastering.</returns>
    /// <remarks>Any thread. Nothing is held: inside a worker's <see cref="DeviceWork"/> it stays so. Allocates nothing.</remarks>
    public bool IsMapped(Iova address, ulong length, bool writable)
    {
        if (Wraps(address, length))
            return false;
        GuestRegionTable table = _reachable;
        ulong at = address.Value;
        for (ulong left = length; left > 0;)
        {
            if (table.Find(at) is not MappedGuestRegion region || !(writable ? region.IsWritable : region.IsReadable))
                return false;
            ulong count = Math.Min(left - 1, region.Last - at) + 1;
            left -= count;
            at = unchecked(at + count);
        }
        return true;
    }

    /// <summary>Copies from one guest's memory to another's, if both are mapped.</summary>
    internal static DmaResult CopyInPlace(Dma from, Iova source, Dma to, Iova destination, int length)
    {
        if (Wraps(source, (ulong)length))
            return from.Overflow(source.Value);
        if (Wraps(destination, (ulong)length))
            return to.Overflow(destination.Value);
        Current readable = new(from);
        Current writable = new(to);
        DmaResult result = DmaResult.Done;
        for (int done = 0; done < length && result;)
        {
            if (readable.Hold(source.Value, write: false) is not { } one)
                return from.Missing(source.Value, write: false);
            try
            {
                if (writable.Hold(destination.Value, write: true) is not { } other)
                    return to.Missing(destination.Value, write: true);
                int count = other.Within(destination.Value, one.Within(source.Value, length - done));
                try
                {
                    result = Copy(one, source, other, destination, count);
                }
                finally
                {
                    other.Exit();
                }
                done += count;
                source += (ulong)count;
                destination += (ulong)count;
            }
            finally
            {
                one.Exit();
            }
        }
        return result;
    }

    private static DmaResult Copy(GuestRegion from, Iova source, GuestRegion to, Iova destination, int length)
    {
        if (from is not MappedGuestRegion readable)
            return new DmaResult(DmaStatus.NotInPlace, source);
        if (to is not MappedGuestRegion writable)
            return new DmaResult(DmaStatus.NotInPlace, destination);
        DmaResult result = writable.Write(destination.Value - writable.Start, readable.Slice(source.Value - readable.Start, length));
        if (result)
            readable.Meter?.Accessed(write: false, length);
        return result;
    }
}
