using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DMA_UNMAP.</summary>
internal sealed class DmaUnmapHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DmaUnmap unmap) || unmap.Argsz < DmaUnmap.WireSize
            || unmap.Argsz > (uint)session.Limits.MaxTransferToReceive)
            return Errno.EINVAL;
        switch (unmap.Flags)
        {
            case 0:
                Errno errno = session.DmaMappings.Unmap(unmap.Address, unmap.Size);
                if (errno != Errno.None)
                    return errno;
                break;
            case DmaUnmapFlags.GetDirtyBitmap:
                return WithBitmap(session, message, unmap);
            case DmaUnmapFlags.All when unmap is { Address: 0, Size: 0 }:
                session.DmaMappings.UnmapAll();
                break;
            default:
                return Errno.EINVAL;
        }
        WireFormat.Write(session.Replies.Begin(message.Header, DmaUnmap.WireSize), unmap);
        session.Replies.End(DmaUnmap.WireSize);
        return Errno.None;
    }

    // The last writes to the region are over only when it is unmapped, so everything that can be wrong is looked at before.
    private static Errno WithBitmap(Session session, in ReceivedMessage message, in DmaUnmap unmap)
    {
        const int Head = DmaUnmap.WireSize + DirtyBitmap.WireSize;
        if (!WireFormat.TryRead(message.Payload[DmaUnmap.WireSize..], out DirtyBitmap bitmap)
            || unmap.Argsz < Head || bitmap.Size > unmap.Argsz - Head
            || DirtyPagesReport.SizeOf(unmap.Size, bitmap.PageSize) != bitmap.Size)
            return Errno.EINVAL;
        // the device learns of it, and may answer with DMA, which sends replies: only then is the reply's place known
        byte[] bits = new byte[bitmap.Size];
        Errno errno = session.DmaMappings.Unmap(new DirtyPagesReport(unmap.Address, unmap.Size, bitmap.PageSize, bits));
        if (errno != Errno.None)
            return errno;
        Span<byte> reply = session.Replies.Begin(message.Header, Head + bits.Length);
        WireFormat.Write(reply, unmap);
        WireFormat.Write(reply[DmaUnmap.WireSize..], bitmap);
        bits.CopyTo(reply[Head..]);
        session.Replies.End(reply.Length);
        return Errno.None;
    }
}
