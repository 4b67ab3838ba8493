namespace VfioUser;

/// <summary>What a device asks of whoever serves it, for work that no command brings.</summary>
internal interface ICommandThread
{
    /// <summary>The clock of the device's timers.</summary>
    TimeProvider Time { get; }

    /// <summary>There may be work: has <see cref="CommandWork.RunReady"/> called on the Command thread, soon. Any thread.</summary>
    void Wake();

    /// <summary>There will be work, not before this and unless it is stopped: has it called then. Any thread, one at a time.</summary>
    /// <param name="due">A timestamp of <see cref="Time"/>.</param>
    void WakeAt(long due);

    /// <summary>Tells of an exception of the device. Any thread; does not throw.</summary>
    void Threw(DeviceCode code, Exception exception);
}
