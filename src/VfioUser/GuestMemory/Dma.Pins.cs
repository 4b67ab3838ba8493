namespace VfioUser;

/// <content>Guest memory for asynchronous I/O and native libraries.</content>
public sealed partial class Dma
{
    private const ulong LargestSegment = 1 << 30;

    /// <summary>Pins guest memory, for I/O without a copy.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; the range may span regions. Bound it if it comes from the guest.</param>
    /// <param name="access">What the device does with it. Write access marks all of it dirty when the pin is disposed.</param>
    /// <param name="pin">Dispose it when the I/O has ended: the client's unmap waits for it. On failure it holds nothing, as if it were
    /// disposed.</param>
    /// <returns>Done; <see cref="DmaStatus.NotInPlace"/> if a byte is accessed by system calls or messages: then copy. Otherwise why and
    /// where it failed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The access is none of the enumeration.</exception>
    /// <remarks>Any thread; so is the pin. Allocates the pin, and a segment for each region.</remarks>
    public DmaResult TryPin(Iova address, ulong length, DmaPinAccess access, out DmaPin pin)
    {
        pin = NewPin(access);
        return Finish(Extend(pin, access, address.Value, length), address, pin);
    }

    /// <summary>Pins the ranges of a list, in order.</summary>
    internal DmaResult Pin(DmaList list, DmaPinAccess access, out DmaPin pin)
    {
        pin = NewPin(access);
        DmaResult result = DmaResult.Done;
        for (int i = 0; i < list.Count && result; i++)
            result = Extend(pin, access, list[i].Address.Value, list[i].Length);
        return Finish(result, list.Count > 0 ? list[0].Address : default, pin);
    }

    private DmaPin NewPin(DmaPinAccess access)
    {
        if (access is not (DmaPinAccess.Read or DmaPinAccess.Write or DmaPinAccess.ReadWrite))
            throw new ArgumentOutOfRangeException(nameof(access), access, "There is no such access.");
        return new DmaPin(this, access);
    }

    // a pin that is not complete holds nothing
    private DmaResult Finish(DmaResult result, Iova first, DmaPin pin)
    {
        if (!result)
        {
            pin.Abandon();
        }
        else if (pin.Length > 0)
        {
            pin.Count();
            Holds?.Add(pin, $"a pin of {pin.Length} bytes, the first at {first}");
        }
        return result;
    }

    private DmaResult Extend(DmaPin pin, DmaPinAccess access, ulong address, ulong length)
    {
        if (Wraps(new Iova(address), length))
            return Overflow(address);
        Current regions = new(this);
        bool write = access != DmaPinAccess.Read;
        ulong at = address;
        for (ulong left = length; left > 0;)
        {
            if (regions.Hold(at, write) is not { } region)
                return Missing(at, write);
            if (region is not MappedGuestRegion mapped || (access == DmaPinAccess.ReadWrite && !region.IsReadable))
            {
                region.Exit();
                return new DmaResult(region.IsReadable || access == DmaPinAccess.Write ? DmaStatus.NotInPlace : DmaStatus.NotReadable, new Iova(at));
            }
            ulong count = Math.Min(Math.Min(left - 1, region.Last - at), LargestSegment - 1) + 1;
            pin.Append(mapped, at - region.Start, (int)count);
            left -= count;
            at = unchecked(at + count);
        }
        return DmaResult.Done;
    }
}
