namespace VfioUser;

/// <summary>What a device asks of whoever serves it, for work that no command brings.</summary>
internal interface ICommandThread
{
    /// <summary>There may be work: has <see cref="CommandWork.RunReady"/> called on the Command thread, soon. Any thread.</summary>
    void Wake();

    /// <summary>Tells of an exception of the device. Any thread; does not throw.</summary>
    void Threw(DeviceCode code, Exception exception);
}
