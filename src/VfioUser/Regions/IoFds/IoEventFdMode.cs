namespace VfioUser;

/// <summary>Who looks whether a guest has rung.</summary>
public enum IoEventFdMode
{
    /// <summary>The library: a thread of the device's sleeps until there is something.</summary>
    Waiting,

    /// <summary>The author, on a thread of his own, by calling Poll. Nothing is handled anywhere else.</summary>
    Polling,
}
