namespace VfioUser;

/// <summary>How far the serving of a device is.</summary>
public enum ServingState
{
    /// <summary>No client is there.</summary>
    Listening,

    /// <summary>A client has connected and has not negotiated yet.</summary>
    Negotiating,

    /// <summary>A client is attached.</summary>
    Attached,

    /// <summary>It was told to end, and the device's code is still busy.</summary>
    Stopping,

    /// <summary>It is over, as it was meant to be; the device is free.</summary>
    Ended,

    /// <summary>It is over because of a failure of this side; the device is free.</summary>
    Failed,
}
