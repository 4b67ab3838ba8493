using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>Physical Region Pages: an entry for each page, in a list if there are more than two. NVMe 1.4 4.3.</summary>
internal static class Prp
{
    public const int PageSize = 4096;
    private const int EntrySize = sizeof(ulong);

    /// <summary>Collects the pieces that two PRP entries of a command describe.</summary>
    /// <param name="prp1">The first page, from any dword in it.</param>
    /// <param name="prp2">The second page, or the list when there are more.</param>
    /// <param name="length">Of the data, in bytes.</param>
    /// <param name="list">Room for a page of the list.</param>
    /// <param name="buffer">Empty; gets the pieces.</param>
    public static Status Map(ulong prp1, ulong prp2, int length, Span<byte> list, NvmeData buffer)
    {
        if (prp1 % sizeof(uint) != 0)
            return Status.InvalidPrpOffset;
        int first = Math.Min(length, PageSize - (int)(prp1 % PageSize));
        buffer.TryAdd(prp1, first);
        length -= first;
        if (length == 0)
            return Status.Success;
        if (length <= PageSize)
            return AddPage(prp2, length, buffer);
        return prp2 % EntrySize != 0 ? Status.InvalidPrpOffset : MapList(prp2, length, list, buffer);
    }

    private static Status MapList(ulong at, int length, Span<byte> list, NvmeData buffer)
    {
        // every round but the last consumes at least one page of the length, which is bounded: so even a loop of lists ends
        while (true)
        {
            int wanted = (length + PageSize - 1) / PageSize;
            int room = (PageSize - (int)(at % PageSize)) / EntrySize;
            int count = Math.Min(wanted, room);
            Span<byte> entries = list[..(count * EntrySize)];
            if (!buffer.Dma.TryRead(new Iova(at), entries))
                return Status.DataTransferError;
            // the last entry of a full list points to the next list
            int pages = wanted > room ? count - 1 : count;
            for (int i = 0; i < pages; i++)
            {
                int part = Math.Min(length, PageSize);
                Status status = AddPage(BinaryPrimitives.ReadUInt64LittleEndian(entries[(i * EntrySize)..]), part, buffer);
                if (status != Status.Success)
                    return status;
                length -= part;
            }
            if (length == 0)
                return Status.Success;
            ulong next = BinaryPrimitives.ReadUInt64LittleEndian(entries[(pages * EntrySize)..]);
            // only the first list may start within a page
            if (next % PageSize != 0)
                return Status.InvalidPrpOffset;
            at = next;
        }
    }

    private static Status AddPage(ulong page, int length, NvmeData buffer)
    {
        if (page % PageSize != 0)
            return Status.InvalidPrpOffset;
        return buffer.TryAdd(page, length) ? Status.Success : Status.InvalidField;
    }
}
