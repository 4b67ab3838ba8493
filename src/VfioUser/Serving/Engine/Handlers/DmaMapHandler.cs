using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_MAP.</summary>
internal sealed class DmaMapHandler : CommandHandler
{
    private const DmaMapFlags Known = DmaMapFlags.Readable | DmaMapFlags.Writeable | DmaMapFlags.Mmap | DmaMapFlags.FileIo;

    // without a descriptor, the memory would be mapped with another backing
    public override bool NeedsFds(in ReceivedMessage message) => true;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out DmaMap map, out Refusal refusal))
            return refusal;
        refusal = Check(map, message.FdCount);
        if (refusal.IsNone)
            refusal = session.GuestRegions.Check(map);
        if (!refusal.IsNone)
            return refusal;
        // nothing of it is held in place, and a client that waits for this reply may not answer what a thread of the device waits for
        return message.FdCount == 0 ? Apply(session, message, 0) : CommandOutcome.NeedsQuiesce(QuiesceReason.DmaMap);
    }

    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        DmaMap map = WireFormat.Read<DmaMap>(message.Payload);
        Refusal refusal = session.GuestRegions.Map(map, message.FdCount == 0 ? null : message.Fds!.Take(0), out DmaDrain? undone);
        // the device threw, but may already use the region on another thread
        if (undone is not null)
            return CommandOutcome.NeedsDrain(undone);
        return refusal.IsNone ? Reply(session, message) : refusal;
    }

    public override CommandOutcome Finish(Session session, in ReceivedMessage message, DmaDrain drain) => Session.Threw;

    private static Refusal Check(in DmaMap map, int fds)
    {
        if (map.Argsz < DmaMap.WireSize)
            return Refusal.ArgszTooSmall(map.Argsz, DmaMap.WireSize);
        if ((map.Flags & ~Known) != 0)
            return Refusal.Invalid("flags 0x{0:x} are unknown", (ulong)(map.Flags & ~Known));
        if (map.Size == 0)
            return Refusal.Invalid("the region at 0x{0:x} is empty", map.Address);
        if (map.Address > ulong.MaxValue - (map.Size - 1))
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} exceed the address space", map.Address, map.Size);
        if (fds == 0 && (map.Flags & (DmaMapFlags.Mmap | DmaMapFlags.FileIo)) != 0)
            return Refusal.Invalid("flags 0x{0:x} need a descriptor, and there is none", (ulong)map.Flags);
        return default;
    }
}
