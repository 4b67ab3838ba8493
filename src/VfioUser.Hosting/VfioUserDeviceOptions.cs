namespace VfioUser.Hosting;

/// <summary>How a host serves one device. Setup: read when the host starts.</summary>
public sealed class VfioUserDeviceOptions
{
    /// <summary>Where clients connect: a path of at most 107 bytes, or <c>@name</c> for an abstract one. Not used where
    /// systemd passes a socket for the device, and needed where it does not.</summary>
    public string? SocketPath { get; set; }

    /// <summary>How the server treats its socket and its clients. Where they are not set, its logger, meter factory and name
    /// are the host's logger <c>VfioUser.Device.NAME</c>, the host's meter factory, and the name of the device.</summary>
    public VfioUserServerOptions Server { get; set; } = new();

    /// <summary>What happens when the device cannot be served any more because of a failure of this side.</summary>
    public ServingFailureAction WhenServingFails { get; set; } = ServingFailureAction.StopHost;

    /// <summary>How long <see cref="ServingFailureAction.Restart"/> waits before each try; from 0. Default 1 second.</summary>
    public TimeSpan RestartDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A thread for this device alone, where others share some by <see cref="VfioUserHostOptions.Threads"/>: for
    /// one whose handlers may block.</summary>
    public bool OwnThread { get; set; }
}
