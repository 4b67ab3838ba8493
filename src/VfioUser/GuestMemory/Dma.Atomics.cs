using System.Numerics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <content>Atomic changes of guest memory: semaphores, fences and flags that the guest's processors change, too.</content>
/// <remarks>
/// Only memory that is mapped into this process can be changed atomically, at an address that is a multiple of the value's size:
/// messages and system calls read and write, and the guest may write in between.
/// </remarks>
public sealed partial class Dma
{
    /// <summary>Replaces a value in guest memory if it is the expected one, in one atomic step.</summary>
    /// <typeparam name="T">An unsigned integer of 1, 2, 4 or 8 bytes.</typeparam>
    /// <param name="address">A multiple of the size of <typeparamref name="T"/>.</param>
    /// <param name="value">Stored if <paramref name="found"/> is <paramref name="comparand"/>.</param>
    /// <param name="comparand">The expected value.</param>
    /// <param name="found">What was there: the exchange took place if it is <paramref name="comparand"/>. 0 on failure.</param>
    /// <returns>Done, whether the value changed or not; <see cref="DmaStatus.NotInPlace"/> or <see cref="DmaStatus.Misaligned"/> if the
    /// memory allows no atomic change; otherwise as <see cref="TryWrite(Iova, ReadOnlySpan{byte})"/>.</returns>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is larger than 8 bytes.</exception>
    /// <remarks>Any thread. A full fence: earlier accesses are visible before, later ones after it. PCI Express 5.0 6.15.</remarks>
    public DmaResult CompareExchange<T>(Iova address, T value, T comparand, out T found)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        found = default;
        DmaResult result = EnterAtomic<T>(address, out MappedGuestRegion? region);
        if (region is null)
            return result;
        try
        {
            ulong offset = address.Value - region.Start;
            found = Interlocked.CompareExchange(ref region.At<T>(offset), value, comparand);
            if (found == comparand)
                region.Written(offset, Unsafe.SizeOf<T>());
            return DmaResult.Done;
        }
        finally
        {
            region.Exit();
        }
    }

    /// <summary>Sets bits of a value in guest memory in one atomic step.</summary>
    /// <param name="address">A multiple of the size of <typeparamref name="T"/>.</param>
    /// <param name="bits">The bits to set.</param>
    /// <param name="before">What was there. 0 on failure.</param>
    /// <inheritdoc cref="CompareExchange{T}" path="/*[not(self::param)]"/>
    public DmaResult FetchOr<T>(Iova address, T bits, out T before)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Fetch(address, bits, static (old, bits) => old | bits, out before);

    /// <summary>Clears the bits of a value in guest memory that are 0 in <paramref name="bits"/>, in one atomic step.</summary>
    /// <param name="address">A multiple of the size of <typeparamref name="T"/>.</param>
    /// <param name="bits">The bits to keep.</param>
    /// <param name="before">What was there. 0 on failure.</param>
    /// <inheritdoc cref="CompareExchange{T}" path="/*[not(self::param)]"/>
    public DmaResult FetchAnd<T>(Iova address, T bits, out T before)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Fetch(address, bits, static (old, bits) => old & bits, out before);

    /// <summary>Adds to a value in guest memory in one atomic step; wraps around.</summary>
    /// <param name="address">A multiple of the size of <typeparamref name="T"/>.</param>
    /// <param name="addend">What to add.</param>
    /// <param name="before">What was there. 0 on failure.</param>
    /// <inheritdoc cref="CompareExchange{T}" path="/*[not(self::param)]"/>
    public DmaResult FetchAdd<T>(Iova address, T addend, out T before)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Fetch(address, addend, static (old, addend) => unchecked(old + addend), out before);

    private DmaResult Fetch<T>(Iova address, T operand, Func<T, T, T> change, out T before)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        before = default;
        DmaResult result = EnterAtomic<T>(address, out MappedGuestRegion? region);
        if (region is null)
            return result;
        try
        {
            ulong offset = address.Value - region.Start;
            ref T place = ref region.At<T>(offset);
            T seen = place;
            while (true)
            {
                T found = Interlocked.CompareExchange(ref place, change(seen, operand), seen);
                if (found == seen)
                    break;
                seen = found;
            }
            before = seen;
            region.Written(offset, Unsafe.SizeOf<T>());
            return DmaResult.Done;
        }
        finally
        {
            region.Exit();
        }
    }

    // null: not entered, for the reason that it returns
    private DmaResult EnterAtomic<T>(Iova address, out MappedGuestRegion? mapped)
        where T : unmanaged
    {
        mapped = null;
        if (address.Value % (ulong)Unsafe.SizeOf<T>() != 0)
            return new DmaResult(UnlessReachable(address.Value) ?? DmaStatus.Misaligned, address);
        if (new Current(this).Hold(address.Value, write: true) is not { } region)
            return Missing(address.Value, write: true);
        DmaStatus status = region switch
        {
            { IsReadable: false } => DmaStatus.NotReadable,
            // a region may end within the value, and its file may lie at any offset
            MappedGuestRegion here when region.Within(address.Value, Unsafe.SizeOf<T>()) == Unsafe.SizeOf<T>()
                && here.IsAligned(address.Value - region.Start, Unsafe.SizeOf<T>()) => DmaStatus.Done,
            _ => DmaStatus.NotInPlace,
        };
        if (status == DmaStatus.Done)
        {
            mapped = (MappedGuestRegion)region;
            return DmaResult.Done;
        }
        region.Exit();
        return new DmaResult(status, address);
    }
}
