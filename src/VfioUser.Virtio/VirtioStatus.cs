namespace VfioUser.Virtio;

/// <summary>How far the driver has come with the device.</summary>
/// <remarks>VIRTIO 1.3 2.1 "Device Status Field".</remarks>
[Flags]
public enum VirtioStatus : byte
{
    /// <summary>The device is reset.</summary>
    None = 0,

    /// <summary>The guest has found the device.</summary>
    Acknowledge = 1,

    /// <summary>The guest has a driver for it.</summary>
    Driver = 2,

    /// <summary>The driver is set up: the device serves its queues.</summary>
    DriverOk = 4,

    /// <summary>The driver has accepted features, and the device agrees.</summary>
    FeaturesOk = 8,

    /// <summary>The device has failed until it is reset.</summary>
    NeedsReset = 64,

    /// <summary>The driver has given the device up.</summary>
    Failed = 128,
}
