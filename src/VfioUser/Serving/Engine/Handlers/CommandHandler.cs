using System.Diagnostics;
using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Handles one command. Stateless; Command thread.</summary>
internal abstract class CommandHandler
{
    /// <summary>The code of the device that the command calls, for exceptions that do not say it.</summary>
    public virtual DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.Other;

    /// <summary>Whether the message must be refused if its descriptors were lost.</summary>
    public virtual bool NeedsFds(in ReceivedMessage message) => false;

    /// <summary>Checks a message, and carries it out unless it requires a quiesced device. It may have more descriptors than it
    /// needs.</summary>
    /// <remarks>Must check everything that can be wrong: <see cref="Apply"/> relies on it.</remarks>
    public abstract CommandOutcome Handle(Session session, in ReceivedMessage message);

    /// <summary>Carries out a valid command on a quiesced device.</summary>
    /// <param name="session">The session.</param>
    /// <param name="message">The command.</param>
    /// <param name="position">The argument of <see cref="CommandOutcome.NeedsQuiesce"/>.</param>
    public virtual CommandOutcome Apply(Session session, in ReceivedMessage message, int position) => throw new UnreachableException();

    /// <summary>Completes a command whose unmapped memory is no longer in use.</summary>
    public virtual CommandOutcome Finish(Session session, in ReceivedMessage message, DmaDrain drain) => throw new UnreachableException();

    /// <summary>The device could not be quiesced: the command is refused.</summary>
    public virtual void NotQuiesced(Session session)
    {
    }

    /// <summary>Replies with an error: only a header, unless a known client reads as many bytes as a success would have, without a
    /// check of the Error bit.</summary>
    /// <remarks>A payload must not be longer than that of a success, for which QEMU has room.</remarks>
    public virtual void Refuse(Session session, in ReceivedMessage message, in Refusal refusal) =>
        session.Replies.Fail(message.Header, refusal.Errno);

    /// <summary>Replies with an error and a structure as payload.</summary>
    protected static void Refuse<T>(Session session, in ReceivedMessage message, in Refusal refusal, T body)
        where T : unmanaged
    {
        int length = Unsafe.SizeOf<T>();
        WireFormat.Write(session.Replies.Begin(message.Header, length), body);
        session.Replies.EndFailed(length, refusal.Errno);
    }

    /// <summary>Replies with a header only.</summary>
    protected static CommandOutcome Reply(Session session, in ReceivedMessage message)
    {
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return CommandOutcome.Replied;
    }

    /// <summary>Replies with a structure as payload.</summary>
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

    /// <summary>Reads the structure at the start of the payload.</summary>
    protected static bool TryRead<T>(in ReceivedMessage message, out T request, out Refusal refusal)
        where T : unmanaged
    {
        bool read = WireFormat.TryRead(message.Payload, out request);
        refusal = read ? default : Refusal.TooShort(message.Payload.Length, Unsafe.SizeOf<T>());
        return read;
    }
}
