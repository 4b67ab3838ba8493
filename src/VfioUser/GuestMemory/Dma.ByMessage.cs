namespace VfioUser;

/// <content>Accesses by message on request.</content>
public sealed partial class Dma
{
    private DmaMessageAccess? _byMessage;

    /// <summary>Of the attached client; null without one. Set on the Command thread.</summary>
    internal DmaMessageAccess? ByMessage
    {
        set => Volatile.Write(ref _byMessage, value);
    }

    /// <summary>As <see cref="TryRead(Iova, Span{byte})"/>, but by DMA_READ messages, even if the memory is mapped: the client itself reads
    /// it.</summary>
    /// <param name="address">First byte to read.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>True if all bytes were read; otherwise why not, and where.</returns>
    /// <remarks>Any thread. Blocks for a round trip: for memory that the client must see accessed, such as that of another device, and to
    /// find out what a client does with such messages. Spec: VFIO_USER_DMA_READ.</remarks>
    public DmaResult TryReadByMessage(Iova address, Span<byte> destination)
    {
        DmaResult result = MoveByMessage(address.Value, destination, [], write: false);
        if (!result)
            destination.Clear();
        return result;
    }

    /// <summary>As <see cref="TryWrite(Iova, ReadOnlySpan{byte})"/>, but by DMA_WRITE messages, even if the memory is mapped: the client
    /// itself writes it.</summary>
    /// <param name="address">First byte to write.</param>
    /// <param name="source">Length in bytes.</param>
    /// <returns>True if all bytes were written; otherwise why not, and where. Bytes before that have been written.</returns>
    /// <remarks>Any thread. Blocks for a round trip. The pages count as dirty. Spec: VFIO_USER_DMA_WRITE.</remarks>
    public DmaResult TryWriteByMessage(Iova address, ReadOnlySpan<byte> source) => MoveByMessage(address.Value, [], source, write: true);

    private DmaResult MoveByMessage(ulong address, Span<byte> destination, ReadOnlySpan<byte> source, bool write)
    {
        Current regions = new(this);
        int length = write ? source.Length : destination.Length;
        if (address > 0 - (ulong)length && length > 0)
            return regions.Overflow(address);
        for (int done = 0; done < length;)
        {
            if (regions.Enter(address, write) is not { } region)
                return regions.Missing(address, write);
            int count = region.Within(address, length - done);
            try
            {
                // it has gone, and its memory is about to
                if (Volatile.Read(ref _byMessage) is not { } messages)
                    return new DmaResult(DmaStatus.Disconnected, new Iova(address));
                DmaResult result = write
                    ? messages.Write(address, source.Slice(done, count))
                    : messages.Read(address, destination.Slice(done, count));
                if (!result)
                    return result;
                if (write)
                    region.Written(address - region.Start, count);
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
}
