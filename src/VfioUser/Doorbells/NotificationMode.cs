namespace VfioUser;

/// <summary>Which thread handles notifications, that is, a guest's writes to ioeventfds and doorbell pages.</summary>
public enum NotificationMode
{
    /// <summary>A thread of the library: it waits for the eventfds, or polls the doorbell page.</summary>
    Threaded,

    /// <summary>A thread of the device, which calls Poll. Handlers run nowhere else.</summary>
    Polling,
}
