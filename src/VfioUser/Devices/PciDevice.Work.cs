namespace VfioUser;

/// <content>Work that no command brings.</content>
public abstract partial class PciDevice
{
    /// <summary>Has an action run on the Command thread, between two commands.</summary>
    /// <param name="action">Runs once. An exception is logged and passed to <see cref="VfioUserServerOptions.DeviceException"/>.</param>
    /// <param name="untilReset">True for what a reset makes void: if the device is reset first, the action does not run.</param>
    /// <exception cref="InvalidOperationException">65,536 actions wait already.</exception>
    /// <remarks>
    /// Any thread; returns at once. Actions run in the order in which they were posted, as handlers do: none beside them, and
    /// what guest memory and interrupts do is the same. They run while the device is served, with a client or without one, and
    /// wait otherwise. They wait, too, from when the device is asked to quiesce until <see cref="OnResume"/>; what was posted
    /// before migration stops the device runs before <see cref="OnStopped"/>. A delegate that is kept is posted without an
    /// allocation.
    /// </remarks>
    protected void Post(Action action, bool untilReset = false)
    {
        ArgumentNullException.ThrowIfNull(action);
        CommandWork.Post(action, untilReset);
    }

    /// <summary>Gives the device a timer.</summary>
    /// <param name="due">Called on the Command thread, as handlers are. An exception is logged and passed to
    /// <see cref="VfioUserServerOptions.DeviceException"/>.</param>
    /// <returns>A timer that does not run yet. One that is started in the constructor begins when the device is served.</returns>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. What is left of it is saved and restored if the device can be migrated.</remarks>
    protected DeviceTimer AddTimer(Action due)
    {
        ArgumentNullException.ThrowIfNull(due);
        ThrowIfServed();
        return CommandWork.AddTimer(due);
    }

    /// <summary>What waits for the Command thread.</summary>
    internal CommandWork CommandWork { get; }
}
