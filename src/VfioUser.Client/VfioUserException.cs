using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>The server refused a command, or did not answer it. After a refusal the connection can still be used.</summary>
public sealed class VfioUserException : Exception
{
    /// <summary>A refused command.</summary>
    public VfioUserException(Command command, Errno errno)
        : base($"{command} failed with {errno}.")
    {
        Command = command;
        Errno = errno;
    }

    /// <summary>A refused command, and this side's cause.</summary>
    public VfioUserException(Command command, Errno errno, Exception innerException)
        : base($"{command} failed with {errno}: {innerException?.GetType().Name}: {innerException?.Message}", innerException)
    {
        Command = command;
        Errno = errno;
    }

    /// <summary>A refused command, and the server's reason.</summary>
    public VfioUserException(Command command, Errno errno, string? reason)
        : this(command, errno, reason, "")
    {
    }

    /// <summary>A refused command, the server's reason, and more for the message.</summary>
    internal VfioUserException(Command command, Errno errno, string? reason, string more)
        : base((reason is null ? $"{command} failed with {errno}." : $"{command} failed with {errno}: {reason}.") + more)
    {
        Command = command;
        Errno = errno;
        Reason = reason;
    }

    /// <summary>A failure with a text.</summary>
    public VfioUserException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with a text and its cause.</summary>
    public VfioUserException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A failure.</summary>
    public VfioUserException()
    {
    }

    /// <summary>The server's reason; null if it gave none, as is usual.</summary>
    public string? Reason { get; }

    /// <summary>The command.</summary>
    public Command Command { get; }

    /// <summary>The error of the reply; <see cref="Errno.ETIMEDOUT"/> or <see cref="Errno.ENOTCONN"/> if there was none.</summary>
    public Errno Errno { get; }
}
