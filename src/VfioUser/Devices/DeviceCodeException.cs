namespace VfioUser;

/// <summary>Carries what a device threw from where it was called to where it is reported, and says where that was.</summary>
/// <param name="code">What was called.</param>
/// <param name="thrown">What it threw.</param>
internal sealed class DeviceCodeException(DeviceCode code, Exception thrown) : Exception(thrown.Message, thrown)
{
    public DeviceCode Code { get; } = code;

    /// <summary>What the device threw, and where; <paramref name="otherwise"/> if nobody on the way knew.</summary>
    public static Exception Unwrap(Exception exception, DeviceCode otherwise, out DeviceCode code)
    {
        code = (exception as DeviceCodeException)?.Code ?? otherwise;
        return exception is DeviceCodeException { InnerException: { } thrown } ? thrown : exception;
    }
}
