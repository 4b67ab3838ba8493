using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace VfioUser.Hosting;

/// <summary>Checks whether all devices of the host are served.</summary>
/// <param name="service">Null for a host without devices.</param>
internal sealed class DeviceHealthCheck(DeviceService? service) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<ServedDevice> devices = service?.Devices ?? [];
        Dictionary<string, object> data = devices.ToDictionary(device => device.Name, object (device) => Describe(device), StringComparer.Ordinal);
        return Task.FromResult(Judge(devices, data, context.Registration.FailureStatus));
    }

    private HealthCheckResult Judge(IReadOnlyList<ServedDevice> devices, Dictionary<string, object> data, HealthStatus failure)
    {
        if (devices.Count < (service?.Count ?? 0))
            return new HealthCheckResult(failure, "Not all devices are served yet.", data: data);
        if (devices.FirstOrDefault(device => device.State is ServingState.Failed or ServingState.Ended or ServingState.Stopping) is { } failed)
            return new HealthCheckResult(failure, $"Device {failed.Name} is not served.", failed.Failure, data);
        if (devices.FirstOrDefault(device => device.State is null) is { } waiting)
            return HealthCheckResult.Degraded($"Device {waiting.Name} waits for its restart.", waiting.LastError, data);
        return HealthCheckResult.Healthy(string.Create(CultureInfo.InvariantCulture, $"{devices.Count} served."), data);
    }

    private static string Describe(ServedDevice device) => device switch
    {
        { State: null } => "waits for its restart",
        { State: { } state, ClientProcessId: { } client } => string.Create(CultureInfo.InvariantCulture, $"{state} on {device.Address}, process {client}"),
        { State: { } state } => $"{state} on {device.Address}",
    };
}
