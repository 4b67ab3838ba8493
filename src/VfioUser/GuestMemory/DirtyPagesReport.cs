using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A dirty bitmap for the client: bit n, counted in 64-bit words, is the n-th page from the first address.</summary>
/// <remarks>
/// The specification's formula, <c>bitmap[(addr - iova)/page_size] &amp; (1ULL &lt;&lt; (addr % 64))</c>, is evidently wrong;
/// libvfio-user, QEMU and the kernel number the bits as done here. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.
/// </remarks>
internal readonly ref struct DirtyPagesReport
{
    private readonly Span<byte> _bitmap;
    private readonly int _shift;

    /// <param name="first">First address.</param>
    /// <param name="length">In bytes; accepted by <see cref="SizeOf"/>.</param>
    /// <param name="pageSize">In bytes; accepted by <see cref="SizeOf"/>.</param>
    /// <param name="bitmap">Of the length that <see cref="SizeOf"/> returned; cleared here.</param>
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

    /// <summary>Size of the bitmap in bytes, a multiple of 8. Null if the page size is not a power of two, or exceeds the range.</summary>
    public static ulong? SizeOf(ulong length, ulong pageSize)
    {
        if (!BitOperations.IsPow2(pageSize) || length < pageSize)
            return null;
        ulong pages = ((length - 1) >> BitOperations.Log2(pageSize)) + 1;
        return (((pages - 1) >> 6) + 1) * sizeof(ulong);
    }

    /// <summary>Sets the bits of all pages that contain a byte from <paramref name="first"/> to <paramref name="last"/>.</summary>
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
