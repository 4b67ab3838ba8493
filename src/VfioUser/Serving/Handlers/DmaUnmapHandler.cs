using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_UNMAP.</summary>
internal sealed class DmaUnmapHandler : CommandHandler
{
    private const int HeadWithBitmap = DmaUnmap.WireSize + DirtyBitmap.WireSize;

    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DmaUnmap unmap) || unmap.Argsz < DmaUnmap.WireSize
            || unmap.Argsz > LimitOf(session, unmap.Flags))
            return Errno.EINVAL;
        DirtyBitmap bitmap = default;
        bool sound = unmap.Flags switch
        {
            0 => true,
            DmaUnmapFlags.GetDirtyBitmap => session.DmaMappings.Dirty.IsOn && IsSound(message, unmap, (ulong)session.Limits.MaxBitmapSize, out bitmap),
            DmaUnmapFlags.All => unmap is { Address: 0, Size: 0 },
            _ => false,
        };
        if (!sound)
            return Errno.EINVAL;
        bool all = unmap.Flags == DmaUnmapFlags.All;
        DmaDrain? drain = session.Unmapping.TakeBegun();
        Errno errno = all || drain is not null ? Errno.None : session.DmaMappings.CheckUnmap(unmap.Address, unmap.Size);
        if (errno != Errno.None)
            return errno;
        (ulong first, ulong last) = all ? (0, ulong.MaxValue) : (unmap.Address, unmap.Address + (unmap.Size - 1));
        // where nothing is mapped, nothing changes for the device
        using Rest rest = drain is not null || session.DmaMappings.HasAny(first, last)
            ? session.Quiescence.ComeToRest(QuiesceReason.DmaUnmap, message)
            : default;
        if (rest.Errno != Errno.None)
            return rest.Errno;
        int length = unmap.Flags == DmaUnmapFlags.GetDirtyBitmap ? HeadWithBitmap + (int)bitmap.Size : DmaUnmap.WireSize;
        // the device learns of it, and may answer with DMA, which sends replies: that there is memory for this reply is all
        // that is certain before
        session.Replies.Begin(message.Header, length);
        drain ??= session.DmaMappings.UnmapBetween(first, last);
        if (!session.Unmapping.TryFinish(drain, message))
            return Quiescence.NoAnswer;
        Span<byte> reply = session.Replies.Begin(message.Header, length);
        // as it was asked for, whatever was there: the specification wants the request back, and no client in use looks
        WireFormat.Write(reply, unmap);
        if (unmap.Flags == DmaUnmapFlags.GetDirtyBitmap)
            Report(drain, unmap, bitmap, reply);
        session.Replies.End(length);
        return Errno.None;
    }

    // also to one that asked for a bitmap: nobody is known who asks for one and does not look at the Error bit
    public override void Refuse(Session session, in ReceivedMessage message, Errno errno)
    {
        _ = WireFormat.TryRead(message.Payload, out DmaUnmap unmap);
        Refuse(session, message, errno, unmap with { Argsz = DmaUnmap.WireSize, Size = 0 });
    }

    private static uint LimitOf(Session session, DmaUnmapFlags flags) => flags == DmaUnmapFlags.GetDirtyBitmap
        ? (uint)Math.Max(session.Limits.MaxTransferToReceive, HeadWithBitmap + session.Limits.MaxBitmapSize)
        : (uint)session.Limits.MaxTransferToReceive;

    // The last writes to the regions are over only when they are unmapped, so everything that can be wrong is looked at before.
    private static bool IsSound(in ReceivedMessage message, in DmaUnmap unmap, ulong maxBitmap, out DirtyBitmap bitmap) =>
        WireFormat.TryRead(message.Payload[DmaUnmap.WireSize..], out bitmap)
        && unmap.Argsz >= HeadWithBitmap && bitmap.Size <= unmap.Argsz - HeadWithBitmap && bitmap.Size <= maxBitmap
        && DirtyPagesReport.SizeOf(unmap.Size, bitmap.PageSize) == bitmap.Size;

    private static void Report(DmaDrain drain, in DmaUnmap unmap, in DirtyBitmap bitmap, Span<byte> reply)
    {
        WireFormat.Write(reply[DmaUnmap.WireSize..], bitmap);
        DirtyPagesReport report = new(unmap.Address, unmap.Size, bitmap.PageSize, reply[HeadWithBitmap..]);
        foreach (DmaMapping mapping in drain.Mappings)
            mapping.Dirty?.Take(mapping.Start, mapping.Last, report);
    }
}
