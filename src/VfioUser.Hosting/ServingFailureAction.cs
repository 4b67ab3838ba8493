namespace VfioUser.Hosting;

/// <summary>The reaction of a host to a device that cannot be served any more. Mistakes of a client or of the device's code do not
/// count: they end a session at most.</summary>
public enum ServingFailureAction
{
    /// <summary>Stops the host, which then throws the failure, so that the process fails visibly.</summary>
    StopHost,

    /// <summary>Serves the device again after <see cref="VfioUserDeviceOptions.RestartDelay"/>, without a limit on tries.</summary>
    Restart,
}
