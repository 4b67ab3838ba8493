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

    /// <summary>What waits for the Command thread.</summary>
    internal CommandWork CommandWork { get; }
}
