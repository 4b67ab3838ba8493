namespace VfioUser;

/// <summary>A thread of a device that polls for work, and sleeps until it is woken when there is none: for queues in guest memory.</summary>
/// <remarks>
/// <para>Create it in the constructor of the device. The thread runs while a server serves the device, as those of
/// <see cref="PciDevice.AddWorkerThread"/> do. It polls while there is work; then waits as <see cref="Idle"/> defines; then calls
/// <see cref="Arm"/>, and sleeps.</para>
/// <para>Unless the constructor says otherwise, <see cref="Poll"/> and <see cref="Arm"/> are called inside <see cref="Work"/>: they may
/// use guest memory, interrupts and registers, are not called while the device is quiesced, and must take milliseconds at most. An
/// exception ends the worker, is logged and passed to <see cref="VfioUserServerOptions.OnDeviceException"/>.</para>
/// <code>
/// internal sealed class RingWorker(Ring device) : PollingWorker(device, "ring")
/// {
///     protected override bool Poll() =&gt; device.TakeAll();
///     protected override bool Arm() =&gt; device.RequestNotification(); // true if there is work already
/// }
/// // a doorbell: worker.Wake()
/// </code>
/// </remarks>
public abstract class PollingWorker
{
    private static readonly IdleStrategy UntilWoken = new();

    private readonly WorkerSleep _sleep = new();
    private readonly bool _enters;
    private volatile bool _isRunning;

    /// <summary>Adds the worker to a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="name">The thread's name, also used in logs.</param>
    /// <param name="entersWork">False if the worker enters <see cref="Work"/> itself where it uses guest memory or interrupts: it may then
    /// wait for a disk in <see cref="Poll"/>, and is also called while the device is quiesced.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    protected PollingWorker(PciDevice device, string name, bool entersWork = true)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentException.ThrowIfNullOrEmpty(name);
        device.ThrowIfServed();
        _enters = entersWork;
        DeviceWorker worker = DeviceWorker.OnThread(name, Run);
        Work = worker.Work;
        Work.Opened = _sleep.Wake;
        device.Workers.Add(worker);
    }

    /// <summary>Whether the thread sleeps, or is about to. Any thread.</summary>
    /// <remarks>For a handler that does short work itself, since waking a thread takes longer. True before the device is served.</remarks>
    public bool IsAsleep => !_isRunning || _sleep.IsAsleep;

    /// <summary>The worker's rundown protection.</summary>
    protected DeviceWork Work { get; }

    /// <summary>How to wait for more after the last work; read after each poll without any. By default the thread sleeps at once,
    /// until it is woken.</summary>
    protected virtual IdleStrategy Idle => UntilWoken;

    /// <summary>There is work: ends the thread's sleep.</summary>
    /// <remarks>Any thread; does not block. Make the work visible first. Costs a system call only if the thread sleeps, and no wake-up is
    /// lost.</remarks>
    public void Wake() => _sleep.Wake();

    /// <summary>Does the work that there is.</summary>
    /// <returns>Whether there was any: then it is called again at once.</returns>
    /// <remarks>On the worker's thread.</remarks>
    protected abstract bool Poll();

    /// <summary>Called before a sleep: enables the notification of new work, and then checks for work that arrived before.</summary>
    /// <returns>Whether there is work already: then <see cref="Poll"/> is called instead of the sleep.</returns>
    /// <remarks>On the worker's thread. A <see cref="Wake"/> during the call is not lost.</remarks>
    protected abstract bool Arm();

    private void Run(DeviceWork work, CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static self => ((PollingWorker)self!).Wake(), this);
        _isRunning = true;
        try
        {
            Run(stop);
        }
        finally
        {
            _isRunning = false;
        }
    }

    private void Run(CancellationToken stop)
    {
        IdleWait wait = new();
        while (!stop.IsCancellationRequested)
        {
            if (PollInside())
                wait.Worked();
            else if (wait.MustSleep(Idle, out TimeSpan longest) && Sleep(longest, stop))
                wait.Woken();
        }
    }

    private bool PollInside()
    {
        if (!_enters)
            return Poll();
        using (Work.Enter())
            return Poll();
    }

    // Whether it was woken.
    private bool Sleep(TimeSpan most, CancellationToken stop)
    {
        _sleep.Announce();
        if (ArmInside() || stop.IsCancellationRequested)
        {
            _sleep.Cancel();
            return true;
        }
        return _sleep.Wait(most);
    }

    // A worker that finds the device quiesced sleeps: it is woken when the device is resumed.
    private bool ArmInside()
    {
        if (!_enters)
            return Arm();
        if (!Work.TryEnter())
            return false;
        try
        {
            return Arm();
        }
        finally
        {
            Work.Exit();
        }
    }
}
