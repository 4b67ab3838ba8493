namespace VfioUser;

/// <summary>Wraps an exception of a device on its way to where it is reported, with the code that threw it.</summary>
/// <param name="code">What was called.</param>
/// <param name="thrown">What it threw.</param>
internal sealed class DeviceCodeException(DeviceCode code, Exception thrown) : Exception(thrown.Message, thrown)
{
    public DeviceCode Code { get; } = code;

    /// <summary>Returns the device's exception and the code that threw it, or <paramref name="otherwise"/> if it is not wrapped.</summary>
    public static Exception Unwrap(Exception exception, DeviceCode otherwise, out DeviceCode code)
    {
        code = (exception as DeviceCodeException)?.Code ?? otherwise;
        return exception is DeviceCodeException { InnerException: { } thrown } ? thrown : exception;
    }
}
