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
}
