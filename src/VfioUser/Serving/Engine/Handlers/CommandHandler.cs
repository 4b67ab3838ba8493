using System.Diagnostics;
using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves one command. Stateless; command thread.</summary>
internal abstract class CommandHandler
{
    /// <summary>What of a device's code the command calls, where the call does not say it better.</summary>
    public virtual DeviceCode Code => DeviceCallback.Other;

    /// <summary>Whether this message is lost without the descriptors that it brought. Others are closed with it, unseen.</summary>
    public virtual bool NeedsFds(in ReceivedMessage message) => false;

    /// <summary>Handles a message, which may have brought more descriptors than it needs.</summary>
    /// <remarks>Checks everything that can be wrong with it. If it requires a quiesced device it is carried out in <see cref="Apply"/>.</remarks>
    public abstract CommandOutcome Handle(Session session, in ReceivedMessage message);

    /// <summary>Carries out a valid command on a quiesced device.</summary>
    /// <param name="session">Whose command it is.</param>
    /// <param name="message">The command.</param>
    /// <param name="position">As <see cref="CommandOutcome.NeedsQuiesce"/> was given it.</param>
    public virtual CommandOutcome Apply(Session session, in ReceivedMessage message, int position) => throw new UnreachableException();

    /// <summary>Ends a command that has unmapped memory, which nobody uses any more.</summary>
    public virtual CommandOutcome Finish(Session session, in ReceivedMessage message, DmaDrain drain) => throw new UnreachableException();

    /// <summary>The device was not quiesced: the command is refused.</summary>
    public virtual void NotQuiesced(Session session)
    {
    }

    /// <summary>Answers a message that was refused, whether it was handled or not: a bare header, unless a client is known that
    /// reads as many bytes as a success would have and never looks at the Error bit.</summary>
    /// <remarks>Clients that look at it read on behind the header, or by the size that it says: a body is for commands that
    /// need one, and never longer than that of a success, for which QEMU has room.</remarks>
    public virtual void Refuse(Session session, in ReceivedMessage message, in Refusal refusal) =>
        session.Replies.Fail(message.Header, refusal.Errno);

    /// <summary>Refuses with a structure behind the header.</summary>
    protected static void Refuse<T>(Session session, in ReceivedMessage message, in Refusal refusal, T body)
        where T : unmanaged
    {
        int length = Unsafe.SizeOf<T>();
        WireFormat.Write(session.Replies.Begin(message.Header, length), body);
        session.Replies.EndFailed(length, refusal.Errno);
    }

    /// <summary>Replies with a bare header.</summary>
    protected static CommandOutcome Reply(Session session, in ReceivedMessage message)
    {
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return CommandOutcome.Replied;
    }

    /// <summary>Replies with one structure.</summary>
    protected static CommandOutcome Reply<T>(Session session, in ReceivedMessage message, T body)
        where T : unmanaged
    {
        WireFormat.Write(session.Replies.Begin(message.Header, Unsafe.SizeOf<T>()), body);
        session.Replies.End(Unsafe.SizeOf<T>());
        return CommandOutcome.Replied;
    }

    /// <summary>Whether the command is served in a migration state.</summary>
    protected static bool IsServedIn(MigrationState state, in ReceivedMessage message) =>
        ProtocolCommands.Find(message.Header.Command)?.IsServedIn(state) == true;

    /// <summary>Reads the structure that the payload begins with.</summary>
    protected static bool TryRead<T>(in ReceivedMessage message, out T request, out Refusal refusal)
        where T : unmanaged
    {
        bool read = WireFormat.TryRead(message.Payload, out request);
        refusal = read ? default : Refusal.TooShort(message.Payload.Length, Unsafe.SizeOf<T>());
        return read;
    }
}
