using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>DMA regions as clients in use map and unmap them, beyond one map and its unmap. The device is never made to access them.</summary>
internal static class DmaRangeRules
{
    private const string MapHeading = "VFIO_USER_DMA_MAP";
    private const string UnmapHeading = "VFIO_USER_DMA_UNMAP";
    private const ulong Address = 0x20_0000_0000;
    private const ulong Size = 0x1000;
    private const int Many = 2000;

    private static readonly ulong[] Addresses = [Address, Address + 3 * Size, Address + 5 * Size];

    public static Topic Topic { get; } = new("DMA ranges",
    [
        new("dma-remap", MapHeading, "An unmapped range can be mapped again, to other memory.", Remap),
        new("dma-unmap-range", UnmapHeading, "An unmap of a range removes all maps within it.", Range),
        new("dma-unmap-cut", UnmapHeading, "An unmap of a range that covers part of a map is refused, and the map stays.", Cut),
        new("dma-unmap-descriptor", UnmapHeading, "An unmap with a descriptor is accepted.", WithDescriptor),
        new("dma-map-file", MapHeading, "Memory in a file that can be shortened is mapped.", Unsealed),
        new("dma-map-many", MapHeading, "max_dma_maps maps are accepted; up to 2000 are tried, of one file.", ManyMaps),
        new("dma-map-many-file", MapHeading, "max_dma_maps maps of a file that can be shortened are accepted; up to 2000 are tried.", ManyMapsOfFile),
    ]);

    private static Finding Remap(Subject subject)
    {
        using SharedMemory first = SharedMemory.Create(Size);
        using SharedMemory second = SharedMemory.Create(4 * Size);
        using Conversation session = subject.Open();
        foreach ((SharedMemory memory, ulong size) in (ReadOnlySpan<(SharedMemory, ulong)>)[(first, Size), (second, 4 * Size), (first, Size)])
        {
            Mapped(session, memory.File, Address, size);
            Unmapped(session, Address, size);
        }
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Range(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        foreach (ulong address in Addresses)
            Mapped(session, memory.File, address, Size);
        Answer answer = Unmap(session, Address - Size, 16 * Size);
        if (answer.IsError)
        {
            foreach (ulong address in Addresses)
                Unmapped(session, address, Size);
            return Finding.Warning($"it is {answer.Refusal}, as the specification has unmaps match a map; QEMU with a virtual IOMMU unmaps several maps at once, as VFIO allows, and continues");
        }
        foreach (ulong address in Addresses)
        {
            Answer again = Map(session, memory.File, address, Size);
            if (again.IsError)
                throw new BrokenRuleException($"it is answered, and a map at 0x{address:x} is then {again.Refusal}");
            Unmapped(session, address, Size);
        }
        return Finding.Passed;
    }

    private static Finding Cut(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(4 * Size);
        using Conversation session = subject.Open();
        Mapped(session, memory.File, Address, 4 * Size);
        foreach ((ulong offset, ulong size, string what) in (ReadOnlySpan<(ulong, ulong, string)>)[(2 * Size, 2 * Size, "the second half of a map"), (2 * Size, 8 * Size, "half of a map and more"), (Size, Size, "the middle of a map")])
            session.Refused(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Address + offset, size), what);
        Unmapped(session, Address, 4 * Size);
        return Finding.Passed;
    }

    private static Finding WithDescriptor(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Mapped(session, memory.File, Address, Size);
        Answer answer = session.Ask(Command.DmaUnmap, Bytes.Of(new DmaUnmap(DmaUnmap.WireSize, 0, Address, Size)), memory.File);
        if (answer.IsError)
        {
            Unmapped(session, Address, Size);
            return Finding.Warning($"it is {answer.Refusal}; SPDK's host sends the descriptor with each unmap, and cannot map there again");
        }
        Mapped(session, memory.File, Address, Size);
        Unmapped(session, Address, Size);
        return Finding.Passed;
    }

    private static Finding Unsealed(Subject subject)
    {
        using SafeFileHandle file = CreateFile(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, file, Address, Size);
        if (!answer.IsError)
            Unmapped(session, Address, Size);
        session.StaysInSync();
        return Finding.WarnIf(answer.IsError, $"it is {answer.Refusal}; huge pages, and memory of a file, are of that kind");
    }

    private static Finding ManyMaps(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Many * Size);
        return ManyMapsOf(memory.File, subject);
    }

    private static Finding ManyMapsOfFile(Subject subject)
    {
        using SafeFileHandle file = CreateFile(Many * Size);
        return ManyMapsOf(file, subject);
    }

    private static Finding ManyMapsOf(SafeFileHandle file, Subject subject)
    {
        using Conversation session = subject.Open();
        ulong most = (ulong)Math.Min(Many, session.Server.MaxDmaMaps);
        ulong done = 0;
        Answer? refused = null;
        for (; done < most && refused is null; done++)
        {
            Answer answer = session.Ask(Command.DmaMap,
                Bytes.Of(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, done * Size, Address + 2 * done * Size, Size)), file);
            if (answer.IsError)
                (refused, done) = (answer, done - 1);
        }
        for (ulong i = 0; i < done; i++)
            Unmapped(session, Address + 2 * i * Size, Size);
        session.StaysInSync();
        return refused is null ? Finding.Passed
            : throw new BrokenRuleException($"map {done + 1} is {refused.Refusal}; max_dma_maps is {session.Server.MaxDmaMaps}") { Heading = "VFIO_USER_VERSION" };
    }

    private static SafeFileHandle CreateFile(ulong size)
    {
        SafeFileHandle file = File.OpenHandle(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, FileOptions.DeleteOnClose);
        RandomAccess.SetLength(file, (long)size);
        return file;
    }

    private static Answer Map(Conversation session, SafeFileHandle file, ulong address, ulong size) => session.Ask(Command.DmaMap,
        Bytes.Of(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, size)), file);

    private static void Mapped(Conversation session, SafeFileHandle file, ulong address, ulong size)
    {
        if (Map(session, file, address, size) is { IsError: true } answer)
            throw new BrokenRuleException($"a map of 0x{size:x} bytes at 0x{address:x}, where nothing is mapped, is {answer.Refusal}") { Heading = MapHeading };
    }

    private static Answer Unmap(Conversation session, ulong address, ulong size) =>
        session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, address, size));

    private static void Unmapped(Conversation session, ulong address, ulong size)
    {
        if (Unmap(session, address, size) is { IsError: true } answer)
            throw new BrokenRuleException($"an unmap of 0x{size:x} bytes at 0x{address:x}, exactly as mapped, is {answer.Refusal}");
    }
}
