using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Code of a device threw. Immutable.</summary>
/// <param name="Device">Whose code it was.</param>
/// <param name="Callback">What of its code was called.</param>
/// <param name="Exception">What it threw.</param>
public sealed record DeviceExceptionContext(PciDevice Device, DeviceCallback Callback, Exception Exception)
{
    /// <summary>The client's command that is handled; null for what happened without one, as an attach or a signalled ioeventfd.</summary>
    public Command? Command { get; init; }

    /// <summary>The region whose register, handler or doorbell it was; null for code that is none of a region's.</summary>
    public PciRegion? Region { get; init; }

    /// <summary>First byte of the access or of the doorbell, relative to <see cref="Region"/>.</summary>
    public ulong? Offset { get; init; }

    /// <summary>The name of the register there; null for one without, and for what is none.</summary>
    public string? Register { get; init; }

    /// <summary>The name of the worker whose code it was; null for code that is none of a worker's.</summary>
    public string? Worker { get; init; }

    /// <summary>The exception and where it was thrown, in one line.</summary>
    public override string ToString() => $"{Exception.GetType().Name} in {new DeviceCode(Callback, Region, Offset, Register, Worker)}: {Exception.Message}";
}
