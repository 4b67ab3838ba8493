using System.Buffers;

namespace VfioUser;

/// <content>Guest memory that is filled, copied, or marked as written.</content>
public sealed partial class Dma
{
    private const int PieceSize = 64 << 10;

    /// <summary>Fills guest memory with a byte.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="value">What each byte becomes.</param>
    /// <returns>As <see cref="TryWrite(Iova, ReadOnlySpan{byte})"/>: on failure, bytes before the bad one may have been written.</returns>
    /// <remarks>Any thread. In pieces: a length from the guest is bounded only by the memory that is mapped.</remarks>
    public DmaResult Fill(Iova address, ulong length, byte value)
    {
        if (Wraps(address, length))
            return Overflow(address.Value);
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, PieceSize));
        try
        {
            ReadOnlySpan<byte> pattern = rented.AsSpan(0, (int)Math.Min(length, PieceSize));
            rented.AsSpan(0, pattern.Length).Fill(value);
            DmaResult result = DmaResult.Done;
            for (ulong done = 0; done < length && result; done += (ulong)pattern.Length)
                result = TryWrite(address + done, pattern[..(int)Math.Min(length - done, (ulong)pattern.Length)]);
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Copies guest memory to another address of the guest. The ranges may overlap.</summary>
    /// <param name="source">First byte to read.</param>
    /// <param name="destination">First byte to write.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>The first failure of a read or a write: bytes before may have been written.</returns>
    /// <remarks>Any thread. In pieces: a length from the guest is bounded only by the memory that is mapped.</remarks>
    public DmaResult Copy(Iova source, Iova destination, ulong length)
    {
        if (Wraps(source, length))
            return Overflow(source.Value);
        if (Wraps(destination, length))
            return Overflow(destination.Value);
        // from the end, if the beginning of the destination is yet to be read
        bool backwards = destination > source && destination - source < length;
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, PieceSize));
        try
        {
            DmaResult result = DmaResult.Done;
            for (ulong done = 0; done < length && result;)
            {
                int count = (int)Math.Min(length - done, PieceSize);
                ulong offset = backwards ? length - done - (ulong)count : done;
                Span<byte> piece = rented.AsSpan(0, count);
                result = TryRead(source + offset, piece);
                if (result)
                    result = TryWrite(destination + offset, piece);
                done += (ulong)count;
            }
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Marks guest memory as written, if the client logs dirty pages: for what was written past this class, by another process
    /// or a native library.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes. What is not mapped is passed over.</param>
    /// <remarks>Any thread, after the write. Memory accessed by messages is not marked, since the client writes it. Spec:
    /// VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.</remarks>
    public void MarkDirty(Iova address, ulong length)
    {
        if (length == 0)
            return;
        ulong last = Wraps(address, length) ? ulong.MaxValue : address.Value + (length - 1);
        foreach (GuestRegion region in _table.Between(address.Value, last))
        {
            if (!region.IsWritable || !region.TryEnter())
                continue;
            ulong end = Math.Min(last, region.Last) - region.Start;
            const ulong step = 1 << 30;
            for (ulong offset = Math.Max(address.Value, region.Start) - region.Start; offset <= end; offset += step)
                region.Written(offset, (int)Math.Min(step - 1, end - offset) + 1);
            region.Exit();
        }
    }

    private static bool Wraps(Iova address, ulong length) => length > 0 && length - 1 > ulong.MaxValue - address.Value;
}
