using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_UNMAP.</summary>
internal sealed class DmaUnmapHandler : CommandHandler
{
    private const int HeaderWithBitmapSize = DmaUnmap.WireSize + DirtyBitmap.WireSize;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out DmaUnmap unmap, out Refusal refusal))
            return refusal;
        refusal = Check(session, message, unmap);
        if (!refusal.IsNone)
            return refusal;
        // The device need not be quiesced for memory that nobody holds in place. A client that waits for this reply, as QEMU does, may
        // not answer the message that a thread of the device waits for.
        (ulong first, ulong last) = RangeOf(unmap);
        return session.GuestRegions.HasAnyInPlace(first, last)
            ? CommandOutcome.NeedsQuiesce(QuiesceReason.DmaUnmap)
            : Apply(session, message, 0);
    }

    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        DmaUnmap unmap = WireFormat.Read<DmaUnmap>(message.Payload);
        // before anything is unmapped, since allocating the reply may fail
        session.Replies.Begin(message.Header, LengthOf(message, unmap));
        (ulong first, ulong last) = RangeOf(unmap);
        return CommandOutcome.NeedsDrain(session.GuestRegions.UnmapBetween(first, last));
    }

    public override CommandOutcome Finish(Session session, in ReceivedMessage message, DmaDrain drain)
    {
        DmaUnmap unmap = WireFormat.Read<DmaUnmap>(message.Payload);
        Span<byte> reply = session.Replies.OpenPayload;
        // echo the request, as the specification requires, whatever was unmapped; no known client checks it
        WireFormat.Write(reply, unmap);
        if (unmap.Flags == DmaUnmapFlags.GetDirtyBitmap)
            Report(drain, unmap, BitmapOf(message), reply);
        session.Replies.End(reply.Length);
        return CommandOutcome.Replied;
    }

    // without a bitmap even if one was requested: all known clients that do check the Error bit
    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        _ = WireFormat.TryRead(message.Payload, out DmaUnmap unmap);
        Refuse(session, message, refusal, unmap with { Argsz = DmaUnmap.WireSize, Size = 0 });
    }

    // The bitmap is complete only after the unmap, so everything must be checked before.
    private static Refusal Check(Session session, in ReceivedMessage message, in DmaUnmap unmap)
    {
        if (unmap.Argsz < DmaUnmap.WireSize)
            return Refusal.ArgszTooSmall(unmap.Argsz, DmaUnmap.WireSize);
        if (unmap.Argsz > LimitOf(session, unmap.Flags))
            return Refusal.Invalid("argsz {0} exceeds the limit of {1} for one message", unmap.Argsz, LimitOf(session, unmap.Flags));
        switch (unmap.Flags)
        {
            case 0:
                return session.GuestRegions.CheckUnmap(unmap.Address, unmap.Size);
            case DmaUnmapFlags.All:
                return unmap is { Address: 0, Size: 0 }
                    ? default
                    : Refusal.Invalid("an unmap of all must not have a range: 0x{1:x} bytes at 0x{0:x}", unmap.Address, unmap.Size);
            case DmaUnmapFlags.GetDirtyBitmap:
                Refusal refusal = session.GuestRegions.Dirty.IsOn
                    ? CheckBitmap(message, unmap, (ulong)session.Limits.MaxBitmapSize)
                    : Refusal.Invalid("a bitmap is requested, but dirty pages are not logged");
                return refusal.IsNone ? session.GuestRegions.CheckUnmap(unmap.Address, unmap.Size) : refusal;
            default:
                return Refusal.Invalid("flags 0x{0:x} are not a valid combination", (ulong)unmap.Flags);
        }
    }

    private static Refusal CheckBitmap(in ReceivedMessage message, in DmaUnmap unmap, ulong maxBitmap)
    {
        if (!WireFormat.TryRead(message.Payload[DmaUnmap.WireSize..], out DirtyBitmap bitmap))
            return Refusal.TooShort(message.Payload.Length, HeaderWithBitmapSize);
        if (unmap.Argsz < HeaderWithBitmapSize || bitmap.Size > unmap.Argsz - HeaderWithBitmapSize)
            return Refusal.Invalid("argsz {0} leaves no room for a bitmap of {1} bytes", unmap.Argsz, bitmap.Size);
        if (bitmap.Size > maxBitmap)
            return Refusal.Invalid("a bitmap of {0} bytes exceeds the negotiated {1}", bitmap.Size, maxBitmap);
        if (DirtyPagesReport.SizeOf(unmap.Size, bitmap.PageSize) != bitmap.Size)
            return Refusal.Invalid("a bitmap of {0} bytes does not match 0x{1:x} bytes with pages of {2} bytes", bitmap.Size, unmap.Size, bitmap.PageSize);
        return default;
    }

    private static uint LimitOf(Session session, DmaUnmapFlags flags) => flags == DmaUnmapFlags.GetDirtyBitmap
        ? (uint)Math.Max(session.Limits.MaxTransferToReceive, HeaderWithBitmapSize + session.Limits.MaxBitmapSize)
        : (uint)session.Limits.MaxTransferToReceive;

    private static (ulong First, ulong Last) RangeOf(in DmaUnmap unmap) =>
        unmap.Flags == DmaUnmapFlags.All ? (0, ulong.MaxValue) : (unmap.Address, unmap.Address + (unmap.Size - 1));

    private static int LengthOf(in ReceivedMessage message, in DmaUnmap unmap) =>
        unmap.Flags == DmaUnmapFlags.GetDirtyBitmap ? HeaderWithBitmapSize + (int)BitmapOf(message).Size : DmaUnmap.WireSize;

    private static DirtyBitmap BitmapOf(in ReceivedMessage message) => WireFormat.Read<DirtyBitmap>(message.Payload[DmaUnmap.WireSize..]);

    private static void Report(DmaDrain drain, in DmaUnmap unmap, in DirtyBitmap bitmap, Span<byte> reply)
    {
        WireFormat.Write(reply[DmaUnmap.WireSize..], bitmap);
        DirtyPagesReport report = new(unmap.Address, unmap.Size, bitmap.PageSize, reply[HeaderWithBitmapSize..]);
        foreach (GuestRegion region in drain.Regions)
            region.Dirty?.Take(region.Start, region.Last, report);
    }
}
