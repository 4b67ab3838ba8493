using VfioUser.Protocol;

namespace VfioUser;

/// <summary>An exception of a device's code. Immutable.</summary>
/// <param name="Device">The device.</param>
/// <param name="Callback">The code that threw.</param>
/// <param name="Exception">The exception.</param>
public sealed record DeviceExceptionContext(PciDevice Device, DeviceCallback Callback, Exception Exception)
{
    /// <summary>The client's command that was being handled; null if there was none, as for an attach or a signalled ioeventfd.</summary>
    public Command? Command { get; init; }

    /// <summary>The region, if the code is a handler of a region, register or doorbell; otherwise null.</summary>
    public PciRegion? Region { get; init; }

    /// <summary>First byte of the access or of the doorbell, relative to <see cref="Region"/>.</summary>
    public long? Offset { get; init; }

    /// <summary>The name of the register at <see cref="Offset"/>, or null.</summary>
    public string? Register { get; init; }

    /// <summary>The name of the worker, if the code is a worker's; otherwise null.</summary>
    public string? Worker { get; init; }

    /// <summary>The exception and the code that threw it, in one line.</summary>
    public override string ToString() => $"{Exception.GetType().Name} in {new DeviceCode(Callback, Region, Offset, Register, Worker)}: {Exception.Message}";
}
