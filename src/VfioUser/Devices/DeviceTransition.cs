namespace VfioUser;

/// <summary>The transitions of <see cref="DeviceActivity"/>.</summary>
internal enum DeviceTransition
{
    /// <summary>A client has attached.</summary>
    Attach,

    /// <summary>The client has disconnected.</summary>
    Detach,

    /// <summary>The device was requested to quiesce, and completes it later.</summary>
    Ask,

    /// <summary>The device is quiesced.</summary>
    Quiesce,

    /// <summary>The device answered that it cannot quiesce, or threw.</summary>
    Refuse,

    /// <summary>The command that required a quiesced device is done.</summary>
    Resume,

    /// <summary>Migration starts to stop the device.</summary>
    Stop,

    /// <summary>The device has handled <see cref="PciDevice.OnStopped"/>.</summary>
    StopDone,

    /// <summary>The device runs again, or failed to stop.</summary>
    Start,
}
