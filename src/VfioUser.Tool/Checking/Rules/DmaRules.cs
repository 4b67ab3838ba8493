using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Mapping and unmapping of DMA regions. The device is never made to access them.</summary>
internal static class DmaRules
{
    private const string MapHeading = "VFIO_USER_DMA_MAP";
    private const string UnmapHeading = "VFIO_USER_DMA_UNMAP";
    private const ulong Address = 0x10_0000_0000;
    private const ulong Size = 0x10000;

    public static Topic Topic { get; } = new("DMA",
    [
        new("dma-map", MapHeading, "Memory with a descriptor is mapped, and the reply is a header alone.", Mapped),
        new("dma-map-message", MapHeading, "Memory without a descriptor is mapped, too: it is accessed by messages.", ByMessage),
        new("dma-unmap", UnmapHeading, "The reply to an unmap repeats address and size.", Unmapped),
        new("dma-map-twice", MapHeading, "A map over a map is refused, with EEXIST.", subject => Over(subject, Address, Size)),
        new("dma-map-overlap", MapHeading, "A map that overlaps part of another is refused, with EEXIST.", subject => Over(subject, Address + Size / 2, Size)),
        new("dma-map-empty", MapHeading, "A map of no bytes is refused.", Empty),
        new("dma-map-wrap", MapHeading, "A map beyond the end of addresses is refused.", Wrap),
        new("dma-map-short-file", MapHeading, "A map beyond the end of its file is refused.", ShortFile),
        new("dma-map-unaligned", MapHeading, "A map that is not a number of pages is either accepted or refused.", Unaligned),
        new("dma-map-two-descriptors", MapHeading, "A map with two descriptors is either accepted or refused.", TwoDescriptors),
        new("dma-unmap-unknown", UnmapHeading, "An unmap of a range that is not mapped is answered; QEMU expects a success.", Unknown),
        new("dma-unmap-part", UnmapHeading, "An unmap of part of a map is refused, and unmaps nothing.", Part),
        new("dma-unmap-all", "linux/vfio.h, VFIO_DMA_UNMAP_FLAG_ALL", "One command can unmap everything, as clients do at a reset.", All),
        new("dma-forgotten", "Client Disconnection", "The memory of a client that has disconnected is unmapped.", Forgotten),
    ]);

    private static Finding Mapped(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, memory);
        if (answer.IsError)
            throw new BrokenRuleException($"it is {answer.Refusal}");
        if (answer.Payload.Length > 0)
            throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload");
        Unmap(session, Address, Size);
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding ByMessage(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Address, Size));
        if (answer.IsError)
            throw new BrokenRuleException($"it is {answer.Refusal}");
        Unmap(session, Address, Size);
        return Finding.Passed;
    }

    private static Finding Unmapped(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Map(session, memory);
        DmaUnmap done = Unmap(session, Address, Size).AsAll<DmaUnmap>();
        return (done.Address, done.Size) == (Address, Size) ? Finding.Passed : throw new BrokenRuleException($"the reply has 0x{done.Address:x} + 0x{done.Size:x}");
    }

    private static Finding Over(Subject subject, ulong address, ulong size)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Map(session, memory);
        Answer answer = Map(session, memory, address, size);
        Unmap(session, Address, Size);
        session.StaysInSync();
        if (answer.IsError)
            return Finding.WarnIf(answer.Errno != Errno.EEXIST, $"it is {answer.Refusal}");
        return (address, size) == (Address, Size)
            ? Finding.Warning("the same map is accepted twice, as libvfio-user does")
            : throw new BrokenRuleException("it is accepted");
    }

    private static Finding Empty(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, memory, size: 0);
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError, "it is accepted; the specification does not cover it");
    }

    private static Finding Wrap(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, memory, address: 0xFFFF_FFFF_FFFF_F000);
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError, "64 KiB at 0xfffffffffffff000 are accepted; the specification does not cover it");
    }

    private static Finding ShortFile(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, memory, size: 2 * Size);
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError, "it is accepted, as libvfio-user does; an access to those bytes kills the process that has mapped them");
    }

    private static Finding Unaligned(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Answer answer = Map(session, memory, Address + 0x80, 0x180);
        session.StaysInSync();
        return answer.IsError ? Finding.Passed : Unmap(session, Address + 0x80, 0x180).IsError ? throw new BrokenRuleException("it is mapped, and cannot be unmapped") : Finding.Passed;
    }

    private static Finding TwoDescriptors(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        session.Ask(Command.DmaMap, Bytes.Of(Request(Address, Size)), memory.File, memory.File);
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Unknown(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = Unmap(session, Address, Size);
        session.StaysInSync();
        return Finding.WarnIf(answer.IsError, $"it is {answer.Refusal}, as the text can be read; with a virtual IOMMU QEMU treats that as a failure");
    }

    private static Finding Part(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Map(session, memory);
        session.Refused(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Address, Size / 2), "half a region");
        return Unmap(session, Address, Size).IsError ? throw new BrokenRuleException("the whole cannot be unmapped afterwards") : Finding.Passed;
    }

    private static Finding All(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open();
        Map(session, memory);
        Answer answer = session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0));
        if (answer.IsError)
            return Finding.NotServed($"it is {answer.Refusal}; the specification calls the flags unused");
        return Map(session, memory).IsError ? throw new BrokenRuleException("it is answered, and the memory is still mapped") : Finding.Passed;
    }

    private static Finding Forgotten(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Size);
        using (Conversation session = subject.Open())
            Map(session, memory);
        using Conversation next = subject.Open();
        Answer answer = Map(next, memory);
        Unmap(next, Address, Size);
        return answer.IsError ? throw new BrokenRuleException($"the next client cannot map there: it is {answer.Refusal}") : Finding.Passed;
    }

    private static DmaMap Request(ulong address, ulong size) => new(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, size);

    private static Answer Map(Conversation session, SharedMemory memory, ulong address = Address, ulong size = Size) =>
        session.Ask(Command.DmaMap, Bytes.Of(Request(address, size)), memory.File);

    private static Answer Unmap(Conversation session, ulong address, ulong size) =>
        session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, address, size));
}
