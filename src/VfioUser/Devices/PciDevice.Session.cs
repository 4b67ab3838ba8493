using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace VfioUser;

/// <content>The client, and the server's log.</content>
public abstract partial class PciDevice
{
    private DeviceSession? _session;
    private ILogger _logger = NullLogger.Instance;

    /// <summary>The attached client; null without one.</summary>
    /// <remarks>Any thread.</remarks>
    public DeviceSession? Session
    {
        get => Volatile.Read(ref _session);
        internal set => Volatile.Write(ref _session, value);
    }

    /// <summary>The log of the server that serves the device, <see cref="VfioUserServerOptions.Logger"/>; one that drops everything before
    /// the device is served first.</summary>
    /// <remarks>Any thread. In tests its lines are in the log of the guest.</remarks>
    public ILogger Logger
    {
        get => Volatile.Read(ref _logger);
        internal set => Volatile.Write(ref _logger, value);
    }
}
