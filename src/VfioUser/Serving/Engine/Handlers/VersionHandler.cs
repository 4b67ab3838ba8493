using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_VERSION. <see cref="Handshake"/> handles the first one; any other is refused.</summary>
internal sealed class VersionHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message) =>
        Refusal.Invalid("the version is negotiated already");

    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal) =>
        Refuse(session.Replies, message.Header, refusal.Errno, refusal.ToString());

    /// <summary>Refuses a proposal, with the reason.</summary>
    public static void Refuse(ReplyWriter replies, in MessageHeader request, Errno errno, string? problem)
    {
        byte[] payload = VersionMessage.FormatRefusal(problem ?? errno.ToString());
        payload.CopyTo(replies.Begin(request, payload.Length));
        replies.EndFailed(payload.Length, errno);
    }
}
