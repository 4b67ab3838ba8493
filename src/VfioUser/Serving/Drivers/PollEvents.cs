namespace VfioUser;

/// <summary>What <see cref="DevicePoller.Process"/> did.</summary>
[Flags]
public enum PollEvents
{
    /// <summary>There was nothing to do.</summary>
    None = 0,

    /// <summary>A client has connected.</summary>
    Connected = 1,

    /// <summary>A client has negotiated: the session has begun.</summary>
    Attached = 2,

    /// <summary>Commands were handled.</summary>
    Commands = 4,

    /// <summary>The client has gone, or was cut off; perhaps before it had attached.</summary>
    Detached = 8,

    /// <summary>Something is left to do that needs no waiting: the bound was reached.</summary>
    More = 16,

    /// <summary>It is over: nothing will happen any more.</summary>
    Ended = 32,

    /// <summary>The device is coming to rest (<see cref="PciDevice.OnQuiesceAsync"/>), and the client's commands wait for that. It is
    /// told each time until it is over; <see cref="DevicePoller.Handle"/> becomes readable then.</summary>
    Quiescing = 64,

    /// <summary>The client has unmapped memory, or has gone, and the device still uses some of that memory: leases, or accesses
    /// on other threads. Told as <see cref="Quiescing"/> is.</summary>
    Unmapping = 128,
}
