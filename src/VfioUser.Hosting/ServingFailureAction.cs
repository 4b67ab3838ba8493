namespace VfioUser.Hosting;

/// <summary>What a host does when a device cannot be served any more. What a client or the device's code does is no such
/// failure: those end a session at most.</summary>
public enum ServingFailureAction
{
    /// <summary>Stops the host, whose run then ends with the failure as an exception, so that the process fails visibly.</summary>
    StopHost,

    /// <summary>Serves the device again after <see cref="VfioUserDeviceOptions.RestartDelay"/>, as often as it takes.</summary>
    Restart,
}
