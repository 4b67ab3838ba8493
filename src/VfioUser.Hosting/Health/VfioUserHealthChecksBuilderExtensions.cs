using Microsoft.Extensions.Diagnostics.HealthChecks;
using VfioUser.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds a health check of a host's devices.</summary>
public static class VfioUserHealthChecksBuilderExtensions
{
    /// <summary>Adds a check of all devices: healthy while each is served, degraded while one waits for its restart, and failed
    /// when one is not served. Its data have an entry for each device.</summary>
    /// <param name="builder">The host's.</param>
    /// <param name="name">The check's.</param>
    /// <param name="failureStatus">The status of a failure. Null for unhealthy.</param>
    /// <param name="tags">The check's.</param>
    public static IHealthChecksBuilder AddVfioUser(
        this IHealthChecksBuilder builder, string name = "vfio-user", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return builder.Add(new HealthCheckRegistration(
            name, services => new DeviceHealthCheck(services.GetService<DeviceService>()), failureStatus, tags));
    }
}
