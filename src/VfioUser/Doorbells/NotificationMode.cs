namespace VfioUser;

/// <summary>Who looks for notifications: ioeventfds and doorbell pages that a guest has written.</summary>
public enum NotificationMode
{
    /// <summary>The library: a thread of the device sleeps until a notification comes.</summary>
    Threaded,

    /// <summary>The device, on a thread of its own, by calling Poll. Nothing is handled anywhere else.</summary>
    Polling,
}
