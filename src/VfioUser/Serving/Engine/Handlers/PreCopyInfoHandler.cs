using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The bytes to read in pre-copy. Source: VFIO_MIG_GET_PRECOPY_INFO of <c>linux/vfio.h</c>.</summary>
/// <remarks>Not in the specification, so only served with <see cref="VfioUserServerOptions.PreCopyInfo"/>.</remarks>
internal sealed class PreCopyInfoHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.MigrationState;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!session.ServesPreCopyInfo)
            return Refusal.Invalid("there is no command {0}", (ulong)message.Header.Command);
        if (!TryRead(message, out PreCopyInfo request, out Refusal refusal))
            return refusal;
        if (request.Argsz < PreCopyInfo.WireSize)
            return Refusal.ArgszTooSmall(request.Argsz, PreCopyInfo.WireSize);
        if (session.Device.Migration is not { } migration || !migration.TryGetPreCopyInfo(out ulong initial, out ulong dirty))
            return Refusal.Invalid("the device is not in pre-copy");
        return Reply(session, message, new PreCopyInfo(PreCopyInfo.WireSize, 0, initial, dirty));
    }
}
