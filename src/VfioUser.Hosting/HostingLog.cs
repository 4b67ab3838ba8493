using Microsoft.Extensions.Logging;

namespace VfioUser.Hosting;

/// <summary>Log messages of hosting. Event ids are stable: they are part of the interface.</summary>
internal sealed partial class HostingLog(ILogger logger)
{
    private readonly ILogger _logger = logger;

    [LoggerMessage(100, LogLevel.Information, "Serving device {Device} on {Address}.")]
    public partial void Serving(string device, string address);

    [LoggerMessage(101, LogLevel.Error, "The server of device {Device} has failed.")]
    public partial void ServingFailed(string device, Exception exception);

    [LoggerMessage(102, LogLevel.Warning, "Device {Device} still cannot be served; trying again.")]
    public partial void CannotRestart(string device, Exception exception);

    [LoggerMessage(103, LogLevel.Warning, "Device {Device} is still busy, and the host does not wait for it any longer.")]
    public partial void StillBusy(string device);

    [LoggerMessage(104, LogLevel.Warning, "No device is named like the socket '{Socket}' that systemd passed; the socket is closed.")]
    public partial void SocketNotUsed(string socket);
}
