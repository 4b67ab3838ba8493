using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A bitmap as a client asks for it: bit n of 64-bit words stands for the n-th page from the first address on.</summary>
/// <remarks>
/// The formula in the specification, <c>bitmap[(addr - iova)/page_size] &amp; (1ULL &lt;&lt; (addr % 64))</c>, cannot be meant;
/// libvfio-user, QEMU and the kernel number the bits as here. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.
/// </remarks>
internal readonly ref struct DirtyPagesReport
{
    private readonly Span<byte> _bitmap;
    private readonly int _shift;

    /// <param name="first">First address.</param>
    /// <param name="length">In bytes, checked by <see cref="SizeOf"/>.</param>
    /// <param name="pageSize">Likewise.</param>
    /// <param name="bitmap">As long as <see cref="SizeOf"/> says; cleared here.</param>
    public DirtyPagesReport(ulong first, ulong length, ulong pageSize, Span<byte> bitmap)
    {
        First = first;
        Length = length;
        _shift = BitOperations.Log2(pageSize);
        _bitmap = bitmap;
        bitmap.Clear();
    }

    public ulong First { get; }

    public ulong Length { get; }

    public ulong Last => First + (Length - 1);

    /// <summary>Bytes of the bitmap: whole words. Null for a page size that is no power of two, or larger than the range.</summary>
    public static ulong? SizeOf(ulong length, ulong pageSize)
    {
        if (!BitOperations.IsPow2(pageSize) || length < pageSize)
            return null;
        ulong pages = ((length - 1) >> BitOperations.Log2(pageSize)) + 1;
        return (((pages - 1) >> 6) + 1) * sizeof(ulong);
    }

    /// <summary>Sets the bits of all pages that have a byte from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public void Set(ulong first, ulong last)
    {
        ulong end = (last - First) >> _shift;
        for (ulong bit = (first - First) >> _shift; bit <= end;)
        {
            int low = (int)bit & 63;
            int count = (int)Math.Min(64 - (ulong)low, end - bit + 1);
            Span<byte> word = _bitmap.Slice((int)(bit >> 6) * sizeof(ulong), sizeof(ulong));
            MemoryMarshal.Write(word, MemoryMarshal.Read<ulong>(word) | ((ulong.MaxValue >> (64 - count)) << low));
            bit += (ulong)count;
        }
    }
}
