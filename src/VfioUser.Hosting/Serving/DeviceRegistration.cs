namespace VfioUser.Hosting;

/// <summary>A device that a host serves. Immutable.</summary>
/// <param name="Name">Unique in the host.</param>
/// <param name="Type">The device's.</param>
/// <param name="Create">Returns the device, the same one each time.</param>
internal sealed record DeviceRegistration(string Name, Type Type, Func<IServiceProvider, PciDevice> Create);
