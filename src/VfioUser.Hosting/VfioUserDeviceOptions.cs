namespace VfioUser.Hosting;

/// <summary>Options for serving one device of a host. Setup: read when the host starts.</summary>
public sealed class VfioUserDeviceOptions
{
    /// <summary>The socket's path of at most 107 bytes, or <c>@name</c> for an abstract one. Required, unless systemd passes a
    /// socket for the device; then it is ignored.</summary>
    public string? SocketPath { get; set; }

    /// <summary>Options of the server. Unless set, its logger is the host's <c>VfioUser.Device.NAME</c>, its meter factory the
    /// host's, and its name the device's.</summary>
    public VfioUserServerOptions Server { get; set; } = new();

    /// <summary>The reaction to a failure of the server, after which the device cannot be served any more.</summary>
    public ServingFailureAction WhenServingFails { get; set; } = ServingFailureAction.StopHost;

    /// <summary>Delay before each try of <see cref="ServingFailureAction.Restart"/>; from 0. Default 1 second.</summary>
    public TimeSpan RestartDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Gives this device a thread of its own even if others share threads by <see cref="VfioUserHostOptions.Threads"/>:
    /// for one whose handlers may block.</summary>
    public bool OwnThread { get; set; }
}
