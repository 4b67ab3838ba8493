using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using VfioUser;
using VfioUser.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds devices to a host.</summary>
/// <remarks>Setup. Register a <see cref="VfioUserHostOptions"/> to set how many threads the devices of the host share.</remarks>
public static class VfioUserServiceCollectionExtensions
{
    /// <summary>Serves a device named after its type.</summary>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, Action{VfioUserDeviceOptions})"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, Action<VfioUserDeviceOptions> configure)
        where T : PciDevice => services.AddVfioUserDevice<T>(typeof(T).Name, configure);

    /// <summary>Serves a device named after its type, with the options of a configuration section.</summary>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, IConfiguration)"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, IConfiguration configuration)
        where T : PciDevice => services.AddVfioUserDevice<T>(typeof(T).Name, configuration);

    /// <summary>Serves a device from the host's start to its stop.</summary>
    /// <typeparam name="T">The device. The container makes it once, with services for its constructor's parameters, and the name for
    /// one that is marked with <see cref="ServiceKeyAttribute"/>. It is a keyed service with the device's name as key; if one is
    /// registered already, that one is used.</typeparam>
    /// <param name="services">The host's.</param>
    /// <param name="name">Names the device in systemd sockets, logs, metrics and health; unique in the host.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">There is a device of that name.</exception>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, string name, Action<VfioUserDeviceOptions> configure)
        where T : PciDevice
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(configure);
        if (services.Any(service => service.ImplementationInstance is DeviceRegistration other && string.Equals(other.Name, name, StringComparison.Ordinal)))
            throw new ArgumentException($"There is a device '{name}' already. Give each a name of its own.", nameof(name));
        services.AddOptions<VfioUserDeviceOptions>(name).Configure(configure);
        services.TryAddKeyedSingleton<T>(name);
        services.AddSingleton(new DeviceRegistration(name, typeof(T), provider => provider.GetRequiredKeyedService<T>(name)));
        services.TryAddSingleton<DeviceService>();
        services.AddHostedService(provider => provider.GetRequiredService<DeviceService>());
        return services;
    }

    /// <summary>Serves a device with the options of a configuration section.</summary>
    /// <param name="services">The host's.</param>
    /// <param name="name">Names the device in systemd sockets, logs, metrics and health; unique in the host.</param>
    /// <param name="configuration">The properties of <see cref="VfioUserDeviceOptions"/>, and in <c>Server</c> those of
    /// <see cref="VfioUserServerOptions"/>, modes in octal; read when the host starts. Other keys are left to the device.</param>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, Action{VfioUserDeviceOptions})" path="/*[not(self::param)]"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, string name, IConfiguration configuration)
        where T : PciDevice
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddVfioUserDevice<T>(name, options => DeviceSection.Apply(configuration, options));
    }
}
