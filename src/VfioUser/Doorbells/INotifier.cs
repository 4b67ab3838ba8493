namespace VfioUser;

/// <summary>A source of calls to the device that no command makes: an ioeventfd or a page of doorbells. There are no calls while
/// the device is reset or stopped, nor without a client.</summary>
internal interface INotifier
{
    /// <summary>Waits until no call is running, and lets none start until <see cref="Exit"/>. Command thread; nests.</summary>
    void Enter();

    /// <summary>Lets calls start again.</summary>
    void Exit();

    /// <summary>Discards notifications that are not handled yet. Between <see cref="Enter"/> and <see cref="Exit"/>.</summary>
    void Discard();

    /// <summary>Handles pending notifications, unless the device polls for them, although the device's state allows no calls.
    /// Command thread.</summary>
    void Drain();

    /// <summary>The device runs again: handles notifications that arrived meanwhile. Command thread.</summary>
    void Continue();

    /// <summary>A client has attached. Command thread.</summary>
    void Attached();

    /// <summary>The client has disconnected: waits for a running call, and releases what belonged to the client. Command thread.</summary>
    void Detached();
}
