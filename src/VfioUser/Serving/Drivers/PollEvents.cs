namespace VfioUser;

/// <summary>What <see cref="DevicePoller.Process"/> did.</summary>
[Flags]
public enum PollEvents
{
    /// <summary>There was no work.</summary>
    None = 0,

    /// <summary>A client has connected.</summary>
    Connected = 1,

    /// <summary>A client has completed negotiation: a session has started.</summary>
    Attached = 2,

    /// <summary>Commands were handled.</summary>
    Commands = 4,

    /// <summary>The client has disconnected, or was disconnected; possibly before it had attached: see
    /// <see cref="DevicePoller.LastDisconnect"/>.</summary>
    Detached = 8,

    /// <summary>The limit was reached, and there is more work.</summary>
    More = 16,

    /// <summary>Serving has ended.</summary>
    Ended = 32,

    /// <summary>The device is quiescing (<see cref="PciDevice.OnQuiesceAsync"/>), and the client's commands wait for it. Reported by
    /// each call until the device has answered; <see cref="DevicePoller.Handle"/> becomes readable then.</summary>
    Quiescing = 64,

    /// <summary>The client has unmapped memory, or has disconnected, and the device is still using some of that memory: leases, or
    /// accesses on other threads. Reported like <see cref="Quiescing"/>.</summary>
    Unmapping = 128,
}
