using System.Buffers;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Copies between the device and guest memory, region by region. Any thread.</summary>
internal static class GuestCopy
{
    /// <summary>Fills <paramref name="destination"/>, or clears it on failure.</summary>
    public static DmaResult Read<TRegions>(TRegions regions, ulong address, Span<byte> destination)
        where TRegions : struct, IGuestRegionSource
    {
        DmaResult result = Copy(regions, address, destination, [], write: false);
        if (!result)
            destination.Clear();
        return result;
    }

    public static DmaResult Write<TRegions>(TRegions regions, ulong address, ReadOnlySpan<byte> source)
        where TRegions : struct, IGuestRegionSource => Copy(regions, address, [], source, write: true);

    /// <summary>Runs an action in place if the range is contiguous in a mapped region, otherwise on a copy.</summary>
    public static DmaResult Access<TRegions, TState>(
        TRegions regions, ulong address, int length, bool writable, TState state, DmaAction<TState> action)
        where TRegions : struct, IGuestRegionSource
        where TState : allows ref struct
    {
        if (length > 0 && regions.Enter(address, writable) is { } region)
        {
            try
            {
                if (region is MappedGuestRegion { IsReadable: true } mapped && mapped.Within(address, length) == length)
                {
                    InPlace(mapped, address - mapped.Start, length, writable, state, action);
                    return DmaResult.Done;
                }
            }
            finally
            {
                regions.Exit(region);
            }
        }
        return OnCopy(regions, address, length, writable, state, action);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DmaResult Copy<TRegions>(TRegions regions, ulong address, Span<byte> destination, ReadOnlySpan<byte> source, bool write)
        where TRegions : struct, IGuestRegionSource
    {
        int length = write ? source.Length : destination.Length;
        // an access does not wrap around at the top of the address space
        if (address > 0 - (ulong)length && length > 0)
            return regions.Overflow(address);
        for (int done = 0; done < length;)
        {
            if (regions.Enter(address, write) is not { } region)
                return regions.Missing(address, write);
            int count = region.Within(address, length - done);
            try
            {
                DmaResult result = write
                    ? region.Write(address - region.Start, source.Slice(done, count))
                    : region.Read(address - region.Start, destination.Slice(done, count));
                if (!result)
                    return result;
            }
            finally
            {
                regions.Exit(region);
            }
            done += count;
            address = unchecked(address + (ulong)count);
        }
        return DmaResult.Done;
    }

    private static void InPlace<TState>(MappedGuestRegion region, ulong offset, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct
    {
        try
        {
            action(region.Slice(offset, length), state);
        }
        finally
        {
            if (writable)
                region.Written(offset, length);
            region.Meter?.Accessed(writable, length);
        }
    }

    private static DmaResult OnCopy<TRegions, TState>(
        TRegions regions, ulong address, int length, bool writable, TState state, DmaAction<TState> action)
        where TRegions : struct, IGuestRegionSource
        where TState : allows ref struct
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> copy = rented.AsSpan(0, length);
            DmaResult read = Read(regions, address, copy);
            if (!read)
                return read;
            action(copy, state);
            return writable ? Write(regions, address, copy) : DmaResult.Done;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
