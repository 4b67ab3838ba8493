using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves one command. Stateless; command thread.</summary>
internal abstract class CommandHandler
{
    /// <summary>Descriptors that a message of this command may bring.</summary>
    public virtual int MaxFds => 0;

    /// <summary>Handles a message, its descriptors counted.</summary>
    /// <returns><see cref="Errno.None"/> when the reply is written; anything else is sent as an error.</returns>
    public abstract Errno Handle(Session session, in ReceivedMessage message);
}
