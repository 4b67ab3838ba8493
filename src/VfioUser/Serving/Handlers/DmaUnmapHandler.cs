using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_UNMAP.</summary>
internal sealed class DmaUnmapHandler : CommandHandler
{
    private const int HeadWithBitmap = DmaUnmap.WireSize + DirtyBitmap.WireSize;

    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DmaUnmap unmap) || unmap.Argsz < DmaUnmap.WireSize
            || unmap.Argsz > (uint)session.Limits.MaxTransferToReceive)
            return Errno.EINVAL;
        DirtyBitmap bitmap = default;
        bool sound = unmap.Flags switch
        {
            0 => true,
            DmaUnmapFlags.GetDirtyBitmap => session.DmaMappings.Dirty.IsOn && IsSound(message, unmap, out bitmap),
            DmaUnmapFlags.All => unmap is { Address: 0, Size: 0 },
            _ => false,
        };
        if (!sound)
            return Errno.EINVAL;
        bool all = unmap.Flags == DmaUnmapFlags.All;
        Errno errno = all ? Errno.None : session.DmaMappings.CheckUnmap(unmap.Address, unmap.Size);
        if (errno != Errno.None)
            return errno;
        (ulong first, ulong last) = all ? (0, ulong.MaxValue) : (unmap.Address, unmap.Address + (unmap.Size - 1));
        // where nothing is mapped, nothing changes for the device
        using Rest rest = session.DmaMappings.HasAny(first, last) ? session.Quiescence.ComeToRest(QuiesceReason.DmaUnmap, message) : default;
        if (rest.Errno != Errno.None)
            return rest.Errno;
        if (unmap.Flags == DmaUnmapFlags.GetDirtyBitmap)
        {
            WithBitmap(session, message, unmap, bitmap);
            return Errno.None;
        }
        session.DmaMappings.UnmapBetween(first, last);
        // as it was asked for, whatever was there: the specification wants the request back, and no client in use looks
        WireFormat.Write(session.Replies.Begin(message.Header, DmaUnmap.WireSize), unmap);
        session.Replies.End(DmaUnmap.WireSize);
        return Errno.None;
    }

    // also to one that asked for a bitmap: nobody is known who asks for one and does not look at the Error bit
    public override void Refuse(Session session, in ReceivedMessage message, Errno errno)
    {
        _ = WireFormat.TryRead(message.Payload, out DmaUnmap unmap);
        Refuse(session, message, errno, unmap with { Argsz = DmaUnmap.WireSize, Size = 0 });
    }

    // The last writes to the regions are over only when they are unmapped, so everything that can be wrong is looked at before.
    private static bool IsSound(in ReceivedMessage message, in DmaUnmap unmap, out DirtyBitmap bitmap) =>
        WireFormat.TryRead(message.Payload[DmaUnmap.WireSize..], out bitmap)
        && unmap.Argsz >= HeadWithBitmap && bitmap.Size <= unmap.Argsz - HeadWithBitmap
        && DirtyPagesReport.SizeOf(unmap.Size, bitmap.PageSize) == bitmap.Size;

    private static void WithBitmap(Session session, in ReceivedMessage message, in DmaUnmap unmap, in DirtyBitmap bitmap)
    {
        // the device learns of it, and may answer with DMA, which sends replies: only then is the reply's place known
        byte[] bits = new byte[bitmap.Size];
        session.DmaMappings.Unmap(new DirtyPagesReport(unmap.Address, unmap.Size, bitmap.PageSize, bits));
        Span<byte> reply = session.Replies.Begin(message.Header, HeadWithBitmap + bits.Length);
        WireFormat.Write(reply, unmap);
        WireFormat.Write(reply[DmaUnmap.WireSize..], bitmap);
        bits.CopyTo(reply[HeadWithBitmap..]);
        session.Replies.End(reply.Length);
    }
}
