using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Code of a device threw while it handled a command. Immutable.</summary>
/// <param name="Device">Whose code it was.</param>
/// <param name="Command">What it was asked.</param>
/// <param name="Exception">What it threw.</param>
public sealed record DeviceExceptionContext(PciDevice Device, Command Command, Exception Exception);
