using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves one command. Stateless; command thread.</summary>
internal abstract class CommandHandler
{
    /// <summary>Whether this message is lost without the descriptors that it brought. Others are closed with it, unseen.</summary>
    public virtual bool NeedsFds(in ReceivedMessage message) => false;

    /// <summary>Handles a message, which may have brought more descriptors than it needs.</summary>
    /// <returns><see cref="Errno.None"/> when the reply is written; anything else is sent as an error.</returns>
    public abstract Errno Handle(Session session, in ReceivedMessage message);

    /// <summary>Answers a message that was refused, whether it was handled or not: a bare header, unless a client is known that
    /// reads as many bytes as a success would have and never looks at the Error bit.</summary>
    /// <remarks>Clients that look at it read on behind the header, or by the size that it says: a body is for commands that
    /// need one, and never longer than that of a success, for which QEMU has room.</remarks>
    public virtual void Refuse(Session session, in ReceivedMessage message, Errno errno) =>
        session.Replies.Fail(message.Header, errno);

    /// <summary>Refuses with a structure behind the header.</summary>
    protected static void Refuse<T>(Session session, in ReceivedMessage message, Errno errno, T body)
        where T : unmanaged
    {
        int length = Unsafe.SizeOf<T>();
        WireFormat.Write(session.Replies.Begin(message.Header, length), body);
        session.Replies.EndFailed(length, errno);
    }
}
