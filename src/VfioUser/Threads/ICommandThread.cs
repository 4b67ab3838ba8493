namespace VfioUser;

/// <summary>What the model needs of the server to run posted actions, timers, requested resets and workers.</summary>
internal interface ICommandThread
{
    /// <summary>The clock of the device's timers.</summary>
    TimeProvider Time { get; }

    /// <summary>Makes the Command thread call <see cref="CommandWork.RunReady"/> soon. Any thread.</summary>
    void Wake();

    /// <summary>Makes the Command thread call <see cref="CommandWork.RunReady"/> at a time, or a little earlier. Any thread, one at a time.</summary>
    /// <param name="due">A timestamp of <see cref="Time"/>.</param>
    void WakeAt(long due);

    /// <summary>Carries out a reset that the device has requested, or begins to. Command thread.</summary>
    void Reset();

    /// <summary>Reports an exception of the device. Any thread; does not throw.</summary>
    void Threw(DeviceCode code, Exception exception);
}
