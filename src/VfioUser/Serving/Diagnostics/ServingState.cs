namespace VfioUser;

/// <summary>The state of serving a device.</summary>
public enum ServingState
{
    /// <summary>No client is connected.</summary>
    Listening,

    /// <summary>A client has connected and has not negotiated yet.</summary>
    Negotiating,

    /// <summary>A client is attached.</summary>
    Attached,

    /// <summary>Serving is being stopped; code of the device may still run.</summary>
    Stopping,

    /// <summary>Serving has ended without failure; the device is free.</summary>
    Ended,

    /// <summary>Serving has ended because the server failed; the device is free.</summary>
    Failed,
}
