namespace VfioUser.Testing.Linux;

/// <summary>A guest did not start, has ended, or a command in it failed. The message has the last lines of its console or of its kernel's
/// log.</summary>
public sealed class LinuxGuestException : IOException
{
    /// <summary>A failure with a text.</summary>
    public LinuxGuestException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with a text and its cause.</summary>
    public LinuxGuestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A failure.</summary>
    public LinuxGuestException()
    {
    }
}
