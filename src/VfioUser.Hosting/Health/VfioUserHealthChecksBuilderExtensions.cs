using Microsoft.Extensions.Diagnostics.HealthChecks;
using VfioUser.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The health of a host's devices.</summary>
public static class VfioUserHealthChecksBuilderExtensions
{
    /// <summary>Adds a check of all devices: healthy while each is served, degraded while one waits for its restart, and
    /// failed when one is not served. The data have a line for each device.</summary>
    /// <param name="builder">The host's.</param>
    /// <param name="name">The check's.</param>
    /// <param name="failureStatus">What a failure counts as. Null for unhealthy.</param>
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
