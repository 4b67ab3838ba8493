namespace VfioUser.Hosting;

/// <summary>A device that a host is to serve. Immutable.</summary>
/// <param name="Name">No other has it.</param>
/// <param name="Type">The device's.</param>
/// <param name="Create">Gives the device, the same one each time.</param>
internal sealed record DeviceRegistration(string Name, Type Type, Func<IServiceProvider, PciDevice> Create);
