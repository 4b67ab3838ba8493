namespace VfioUser;

/// <summary>The states of <see cref="DeviceActivity"/>.</summary>
/// <remarks>The order matters: from <see cref="Quiesced"/> on, the device is quiesced.</remarks>
internal enum DeviceState
{
    /// <summary>No client is attached.</summary>
    Detached,

    /// <summary>The device runs, with a client.</summary>
    Running,

    /// <summary>The device was requested to quiesce and has not completed it.</summary>
    Quiescing,

    /// <summary>The device's threads access no guest memory and trigger no interrupts.</summary>
    Quiesced,

    /// <summary>Migration is stopping the device: earlier notifications of the guest are handled, new ones are not.</summary>
    Stopping,

    /// <summary>Migration has stopped the device.</summary>
    Stopped,
}
