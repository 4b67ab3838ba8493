using VfioUser.Protocol;

namespace VfioUser;

/// <summary>An exception of a device's code. Immutable.</summary>
public sealed class DeviceExceptionContext
{
    internal DeviceExceptionContext(PciDevice device, DeviceCallback callback, Exception exception) =>
        (Device, Callback, Exception) = (device, callback, exception);

    /// <summary>The device.</summary>
    public PciDevice Device { get; }

    /// <summary>The code that threw.</summary>
    public DeviceCallback Callback { get; }

    /// <summary>The exception.</summary>
    public Exception Exception { get; }

    /// <summary>The client's command that was being handled; null if there was none, as for an attach or a signalled ioeventfd.</summary>
    public Command? Command { get; internal init; }

    /// <summary>The region, if the code is a handler of a region, register or doorbell; otherwise null.</summary>
    public RegionIndex? Region { get; internal init; }

    /// <summary>First byte of the access or of the doorbell, relative to <see cref="Region"/>.</summary>
    public long? Offset { get; internal init; }

    /// <summary>The name of the register at <see cref="Offset"/>, or null.</summary>
    public string? Register { get; internal init; }

    /// <summary>What was written, if the code handles a write of up to 8 bytes; otherwise null.</summary>
    public ulong? Value { get; internal init; }

    /// <summary>The name of the worker, if the code is a worker's; otherwise null.</summary>
    public string? Worker { get; internal init; }

    /// <summary>The exception and the code that threw it, in one line.</summary>
    public override string ToString() => $"{Exception.GetType().Name} in {new DeviceCode(Callback, Region, Offset, Register, Worker, Value)}: {Exception.Message}";
}
