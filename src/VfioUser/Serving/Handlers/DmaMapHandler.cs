using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_MAP.</summary>
internal sealed class DmaMapHandler : CommandHandler
{
    private const DmaMapFlags Known = DmaMapFlags.Readable | DmaMapFlags.Writeable | DmaMapFlags.Mmap | DmaMapFlags.FileIo;

    // memory without a descriptor is mapped, too, and reached in another way: one that was lost must not make it that
    public override bool NeedsFds(in ReceivedMessage message) => true;

    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DmaMap map) || map.Argsz < DmaMap.WireSize || (map.Flags & ~Known) != 0
            || map.Size == 0 || map.Address > ulong.MaxValue - (map.Size - 1)
            || (message.FdCount == 0 && (map.Flags & (DmaMapFlags.Mmap | DmaMapFlags.FileIo)) != 0))
            return Errno.EINVAL;
        // the device threw, and it took a while until nobody used the region any more
        DmaDrain? undone = session.Unmapping.TakeBegun();
        Errno errno = undone is null ? session.DmaMappings.Check(map) : Errno.None;
        if (errno != Errno.None)
            return errno;
        using Rest rest = session.Quiescence.ComeToRest(QuiesceReason.DmaMap, message);
        if (rest.Errno != Errno.None)
            return rest.Errno;
        errno = undone is null ? session.DmaMappings.Map(map, message.FdCount == 0 ? null : message.Fds!.Take(0), out undone) : Errno.EIO;
        if (undone is not null && !session.Unmapping.TryFinish(undone, message))
            return Quiescence.NoAnswer;
        if (errno != Errno.None)
            return errno;
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return Errno.None;
    }
}
