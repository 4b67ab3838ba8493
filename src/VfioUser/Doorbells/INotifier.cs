namespace VfioUser;

/// <summary>A source of calls to the device that are not commands: they stop while the device is reset or stopped, and
/// without a client.</summary>
internal interface INotifier
{
    /// <summary>Waits until no call runs, and lets none begin. Command thread; nests.</summary>
    void Enter();

    /// <summary>Lets calls begin again.</summary>
    void Exit();

    /// <summary>What came up to now is not handled any more. Between <see cref="Enter"/> and <see cref="Exit"/>.</summary>
    void Discard();

    /// <summary>Handles what came up to now, unless the device polls for it, though the device's state lets no call begin.
    /// Command thread.</summary>
    void Drain();

    /// <summary>Goes on, with what came meanwhile. Command thread.</summary>
    void Continue();

    /// <summary>A client is there. Command thread.</summary>
    void Attached();

    /// <summary>The client has gone: gives back what was for it, when no call runs any more. Command thread.</summary>
    void Detached();
}
