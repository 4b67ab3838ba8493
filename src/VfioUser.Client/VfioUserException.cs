using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>The server refused a command, or could not be asked. The connection is as good as it was before.</summary>
public sealed class VfioUserException : Exception
{
    /// <summary>A refused command.</summary>
    public VfioUserException(Command command, Errno errno)
        : base($"{command} failed with {errno}.")
    {
        Command = command;
        Errno = errno;
    }

    /// <summary>A refused command, and why, as far as this side knows.</summary>
    public VfioUserException(Command command, Errno errno, Exception innerException)
        : base($"{command} failed with {errno}: {innerException?.GetType().Name}: {innerException?.Message}", innerException)
    {
        Command = command;
        Errno = errno;
    }

    /// <summary>A refused command, and why, as the server says.</summary>
    public VfioUserException(Command command, Errno errno, string? reason)
        : base(reason is null ? $"{command} failed with {errno}." : $"{command} failed with {errno}: {reason}.")
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

    /// <summary>What the server said of it; null if nothing, as most servers.</summary>
    public string? Reason { get; }

    /// <summary>What was asked.</summary>
    public Command Command { get; }

    /// <summary>What the server answered; <see cref="Errno.ETIMEDOUT"/> or <see cref="Errno.ENOTCONN"/> if it did not.</summary>
    public Errno Errno { get; }
}
