using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_UNMAP.</summary>
internal sealed class DmaUnmapHandler : CommandHandler
{
    private const int HeadWithBitmap = DmaUnmap.WireSize + DirtyBitmap.WireSize;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out DmaUnmap unmap, out Refusal refusal))
            return refusal;
        refusal = Check(session, message, unmap);
        if (!refusal.IsNone)
            return refusal;
        // where nothing is mapped, nothing changes for the device
        (ulong first, ulong last) = RangeOf(unmap);
        return session.GuestRegions.HasAny(first, last)
            ? CommandOutcome.NeedsQuiesce(QuiesceReason.DmaUnmap)
            : Apply(session, message, 0);
    }

    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        DmaUnmap unmap = WireFormat.Read<DmaUnmap>(message.Payload);
        // before anything is unmapped: there is memory for this reply
        session.Replies.Begin(message.Header, LengthOf(message, unmap));
        (ulong first, ulong last) = RangeOf(unmap);
        return CommandOutcome.NeedsDrain(session.GuestRegions.UnmapBetween(first, last));
    }

    public override CommandOutcome Finish(Session session, in ReceivedMessage message, DmaDrain drain)
    {
        DmaUnmap unmap = WireFormat.Read<DmaUnmap>(message.Payload);
        Span<byte> reply = session.Replies.OpenPayload;
        // as it was asked for, whatever was there: the specification wants the request back, and no client in use looks
        WireFormat.Write(reply, unmap);
        if (unmap.Flags == DmaUnmapFlags.GetDirtyBitmap)
            Report(drain, unmap, BitmapOf(message), reply);
        session.Replies.End(reply.Length);
        return CommandOutcome.Replied;
    }

    // also to one that asked for a bitmap: nobody is known who asks for one and does not look at the Error bit
    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        _ = WireFormat.TryRead(message.Payload, out DmaUnmap unmap);
        Refuse(session, message, refusal, unmap with { Argsz = DmaUnmap.WireSize, Size = 0 });
    }

    // The last writes to the regions are over only when they are unmapped, so everything that can be wrong is looked at before.
    private static Refusal Check(Session session, in ReceivedMessage message, in DmaUnmap unmap)
    {
        if (unmap.Argsz < DmaUnmap.WireSize)
            return Refusal.ArgszTooSmall(unmap.Argsz, DmaUnmap.WireSize);
        if (unmap.Argsz > LimitOf(session, unmap.Flags))
            return Refusal.Invalid("argsz {0} is more than the {1} that one message may have", unmap.Argsz, LimitOf(session, unmap.Flags));
        switch (unmap.Flags)
        {
            case 0:
                return session.GuestRegions.CheckUnmap(unmap.Address, unmap.Size);
            case DmaUnmapFlags.All:
                return unmap is { Address: 0, Size: 0 }
                    ? default
                    : Refusal.Invalid("everything is to be unmapped, and 0x{1:x} bytes at 0x{0:x}", unmap.Address, unmap.Size);
            case DmaUnmapFlags.GetDirtyBitmap:
                Refusal refusal = session.GuestRegions.Dirty.IsOn
                    ? CheckBitmap(message, unmap, (ulong)session.Limits.MaxBitmapSize)
                    : Refusal.Invalid("a bitmap is asked for, and dirty pages are not logged");
                return refusal.IsNone ? session.GuestRegions.CheckUnmap(unmap.Address, unmap.Size) : refusal;
            default:
                return Refusal.Invalid("flags 0x{0:x} are not known, or do not go together", (ulong)unmap.Flags);
        }
    }

    private static Refusal CheckBitmap(in ReceivedMessage message, in DmaUnmap unmap, ulong maxBitmap)
    {
        if (!WireFormat.TryRead(message.Payload[DmaUnmap.WireSize..], out DirtyBitmap bitmap))
            return Refusal.TooShort(message.Payload.Length, HeadWithBitmap);
        if (unmap.Argsz < HeadWithBitmap || bitmap.Size > unmap.Argsz - HeadWithBitmap)
            return Refusal.Invalid("argsz {0} leaves no room for a bitmap of {1} bytes", unmap.Argsz, bitmap.Size);
        if (bitmap.Size > maxBitmap)
            return Refusal.Invalid("a bitmap of {0} bytes is more than the {1} that was agreed on", bitmap.Size, maxBitmap);
        if (DirtyPagesReport.SizeOf(unmap.Size, bitmap.PageSize) != bitmap.Size)
            return Refusal.Invalid("a bitmap of {0} bytes is not that of 0x{1:x} bytes in pages of {2}", bitmap.Size, unmap.Size, bitmap.PageSize);
        return default;
    }

    private static uint LimitOf(Session session, DmaUnmapFlags flags) => flags == DmaUnmapFlags.GetDirtyBitmap
        ? (uint)Math.Max(session.Limits.MaxTransferToReceive, HeadWithBitmap + session.Limits.MaxBitmapSize)
        : (uint)session.Limits.MaxTransferToReceive;

    private static (ulong First, ulong Last) RangeOf(in DmaUnmap unmap) =>
        unmap.Flags == DmaUnmapFlags.All ? (0, ulong.MaxValue) : (unmap.Address, unmap.Address + (unmap.Size - 1));

    private static int LengthOf(in ReceivedMessage message, in DmaUnmap unmap) =>
        unmap.Flags == DmaUnmapFlags.GetDirtyBitmap ? HeadWithBitmap + (int)BitmapOf(message).Size : DmaUnmap.WireSize;

    private static DirtyBitmap BitmapOf(in ReceivedMessage message) => WireFormat.Read<DirtyBitmap>(message.Payload[DmaUnmap.WireSize..]);

    private static void Report(DmaDrain drain, in DmaUnmap unmap, in DirtyBitmap bitmap, Span<byte> reply)
    {
        WireFormat.Write(reply[DmaUnmap.WireSize..], bitmap);
        DirtyPagesReport report = new(unmap.Address, unmap.Size, bitmap.PageSize, reply[HeadWithBitmap..]);
        foreach (GuestRegion region in drain.Regions)
            region.Dirty?.Take(region.Start, region.Last, report);
    }
}
