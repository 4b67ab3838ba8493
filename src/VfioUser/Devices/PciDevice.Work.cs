namespace VfioUser;

/// <content>Work that the client does not ask for: posted actions, timers, workers.</content>
public abstract partial class PciDevice
{
    /// <summary>Queues an action to run on the Command thread, between commands.</summary>
    /// <param name="action">Runs once. An exception is logged and passed to <see cref="VfioUserServerOptions.OnDeviceException"/>.</param>
    /// <param name="untilReset">True to drop the action if the device is reset before it has run.</param>
    /// <exception cref="InvalidOperationException">65,536 actions are queued already.</exception>
    /// <remarks>
    /// Any thread; does not block. Actions run in the order of the calls, one at a time, and never at the same time as a handler. They
    /// run while the device is served, with or without a client; otherwise they stay queued. They also stay queued from the call of
    /// <see cref="OnQuiesceAsync"/> until <see cref="OnResume"/>. When migration stops the device, actions posted before run before
    /// <see cref="OnStopped"/>. Posting a cached delegate allocates nothing.
    /// </remarks>
    public void Post(Action action, bool untilReset = false)
    {
        ArgumentNullException.ThrowIfNull(action);
        CommandWork.Post(action, untilReset);
    }

    /// <summary>Adds an action to post for work that is in a queue: frames that have come, a ring that has more than one run should
    /// take.</summary>
    /// <param name="action">Called on the Command thread after each <see cref="DevicePost.Post"/>, once for all who asked before it began. It
    /// takes what there is. An exception is logged and passed to <see cref="VfioUserServerOptions.OnDeviceException"/>.</param>
    /// <returns>What posts it.</returns>
    /// <remarks>Any thread. A reset of the device leaves it queued.</remarks>
    public DevicePost AddPost(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return new DevicePost(CommandWork, action);
    }

    /// <summary>The clock of the device's timers, for times that need no timer: <see cref="VfioUserServerOptions.TimeProvider"/> of the
    /// server that serves the device, or served it last; before that the system's.</summary>
    /// <remarks>Any thread. Unlike timers it does not stand still while migration has stopped the device, and a timestamp of it means
    /// nothing to another server.</remarks>
    public TimeProvider TimeProvider => CommandWork.Time;

    /// <summary>Adds a timer.</summary>
    /// <param name="due">Called on the Command thread when the timer expires. An exception is logged and passed to
    /// <see cref="VfioUserServerOptions.OnDeviceException"/>.</param>
    /// <returns>A stopped timer. If it is started before the device is served, its time begins when the device is served.</returns>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Its remaining time is part of the migration state.</remarks>
    public DeviceTimer AddTimer(Action due)
    {
        ArgumentNullException.ThrowIfNull(due);
        ThrowIfServed();
        return CommandWork.AddTimer(due);
    }

    /// <summary>Adds a task that runs while the device is served.</summary>
    /// <param name="name">Used in logs.</param>
    /// <param name="work">
    /// Started on the thread pool whenever a server starts to serve the device. It enters its <see cref="DeviceWork"/> to use guest
    /// memory and interrupts, and then needs no <see cref="OnQuiesceAsync"/>. The token is cancelled when the server stops serving the
    /// device; <see cref="OperationCanceledException"/> is no error then. Any other exception ends the worker, is logged and passed to
    /// <see cref="VfioUserServerOptions.OnDeviceException"/>.
    /// </param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. The server waits for the task to end before it releases the device; a poller waits up to one second.</remarks>
    public void AddWorker(string name, Func<DeviceWork, CancellationToken, Task> work)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(work);
        ThrowIfServed();
        Workers.Add(new DeviceWorker(name, work));
    }

    /// <summary>Adds a thread that runs while the device is served, for work that blocks or polls.</summary>
    /// <param name="name">The thread's name, also used in logs.</param>
    /// <param name="work">As in <see cref="AddWorker"/>; the worker ends when it returns.</param>
    /// <inheritdoc cref="AddWorker" path="/*[not(self::param)]"/>
    public void AddWorkerThread(string name, Action<DeviceWork, CancellationToken> work)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(work);
        ThrowIfServed();
        Workers.Add(DeviceWorker.OnThread(name, work));
    }

    /// <summary>Posted actions and timers.</summary>
    internal CommandWork CommandWork { get; }

    internal DeviceWorkers Workers { get; } = new();
}
