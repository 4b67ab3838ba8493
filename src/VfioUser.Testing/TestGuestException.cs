namespace VfioUser.Testing;

/// <summary>What the test kit expected of a device did not happen. The message says what was waited for, and what was seen.</summary>
/// <remarks>A command that the device refused is a <see cref="Client.VfioUserException"/> instead; when it refused because its
/// code threw, that exception is the inner one.</remarks>
public sealed class TestGuestException : Exception
{
    /// <summary>A failure with a text.</summary>
    public TestGuestException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with a text and its cause.</summary>
    public TestGuestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A failure.</summary>
    public TestGuestException()
    {
    }
}
