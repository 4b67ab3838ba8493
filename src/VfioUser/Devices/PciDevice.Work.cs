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

    /// <summary>Gives the device a task that works while it is served.</summary>
    /// <param name="name">For logs.</param>
    /// <param name="work">
    /// Begins on the thread pool when a server begins to serve the device, and again with each server after that. It uses guest
    /// memory and interrupts inside its <see cref="DeviceWork"/>, which needs no <see cref="OnQuiesceAsync"/>. The token is cancelled
    /// when that run ends, and the run waits for the task; <see cref="OperationCanceledException"/> is not an error then. Any other
    /// exception ends the worker, and is logged and passed to <see cref="VfioUserServerOptions.DeviceException"/>.
    /// </param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. A run on a thread of its own waits for the task without a limit, a poller for one second.</remarks>
    protected void AddWorker(string name, Func<DeviceWork, CancellationToken, Task> work)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(work);
        ThrowIfServed();
        Workers.Add(new DeviceWorker(name, work));
    }

    /// <summary>Gives the device a thread that works while it is served, for work that blocks or polls.</summary>
    /// <param name="name">Of the thread, and for logs.</param>
    /// <param name="work">As that of <see cref="AddWorker"/>; the worker ends when it returns.</param>
    /// <inheritdoc cref="AddWorker"/>
    protected void AddWorkerThread(string name, Action<DeviceWork, CancellationToken> work)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(work);
        ThrowIfServed();
        Workers.Add(DeviceWorker.OnThread(name, work));
    }

    /// <summary>What waits for the Command thread.</summary>
    internal CommandWork CommandWork { get; }

    internal DeviceWorkers Workers { get; } = new();
}
