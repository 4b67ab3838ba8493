using VfioUser.Protocol;

namespace VfioUser;

/// <summary>How much there is to read in pre-copy. Source: VFIO_MIG_GET_PRECOPY_INFO of <c>linux/vfio.h</c>.</summary>
/// <remarks>As long as no specification has it, only where the server's options say so: elsewhere it is no command.</remarks>
internal sealed class PreCopyInfoHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!session.ServesPreCopyInfo || !WireFormat.TryRead(message.Payload, out PreCopyInfo request) || request.Argsz < PreCopyInfo.WireSize
            || session.Device.Migration is not { } migration || !migration.TryGetPreCopyInfo(out ulong initial, out ulong dirty))
            return Errno.EINVAL;
        WireFormat.Write(session.Replies.Begin(message.Header, PreCopyInfo.WireSize), new PreCopyInfo(PreCopyInfo.WireSize, 0, initial, dirty));
        session.Replies.End(PreCopyInfo.WireSize);
        return Errno.None;
    }
}
