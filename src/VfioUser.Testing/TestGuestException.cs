namespace VfioUser.Testing;

/// <summary>The device did not do what the test kit expected. The message has the expectation and the observation.</summary>
/// <remarks>A command that the device refused is a <see cref="Client.VfioUserException"/> instead; if the device's code threw, that
/// exception is the inner one.</remarks>
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
