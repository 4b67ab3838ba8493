using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using VfioUser;
using VfioUser.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Devices of a host.</summary>
/// <remarks>Setup. A <see cref="VfioUserHostOptions"/> among the services says how many threads all devices of the host share.</remarks>
public static class VfioUserServiceCollectionExtensions
{
    /// <summary>Serves a device named after its type.</summary>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, Action{VfioUserDeviceOptions})"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, Action<VfioUserDeviceOptions> configure)
        where T : PciDevice => services.AddVfioUserDevice<T>(typeof(T).Name, configure);

    /// <summary>Serves a device named after its type, as a section of the configuration says.</summary>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, IConfiguration)"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, IConfiguration configuration)
        where T : PciDevice => services.AddVfioUserDevice<T>(typeof(T).Name, configuration);

    /// <summary>Serves a device from the host's start to its stop.</summary>
    /// <typeparam name="T">Made once, with services for its constructor's parameters, and the name for one that is marked
    /// with <see cref="ServiceKeyAttribute"/>. It is the keyed service of its name: whoever has registered that before
    /// makes the device himself.</typeparam>
    /// <param name="services">The host's.</param>
    /// <param name="name">Names the device in sockets of systemd, logs, metrics and health; no other has it.</param>
    /// <param name="configure">Says where and how.</param>
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

    /// <summary>Serves a device as a section of the configuration says.</summary>
    /// <param name="services">The host's.</param>
    /// <param name="name">Names the device in sockets of systemd, logs, metrics and health; no other has it.</param>
    /// <param name="configuration">The properties of <see cref="VfioUserDeviceOptions"/>, and in <c>Server</c> those of
    /// <see cref="VfioUserServerOptions"/>, modes in octal; read when the host starts. Other keys are the device's own.</param>
    /// <inheritdoc cref="AddVfioUserDevice{T}(IServiceCollection, string, Action{VfioUserDeviceOptions})"/>
    public static IServiceCollection AddVfioUserDevice<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services, string name, IConfiguration configuration)
        where T : PciDevice
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddVfioUserDevice<T>(name, options => DeviceSection.Apply(configuration, options));
    }
}
