namespace VfioUser;

/// <summary>A device's workers in one run of a server.</summary>
internal sealed class WorkerRun : IDisposable
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenRegistration _stopping;
    private readonly ServerRun _run;
    private readonly ICommandThread _thread;
    private readonly DeviceWorkers _workers;

    /// <param name="run">The run, whose device they belong to.</param>
    /// <param name="thread">Reports their exceptions.</param>
    public WorkerRun(ServerRun run, ICommandThread thread)
    {
        _run = run;
        _thread = thread;
        _workers = run.Device.Workers;
        _workers.Begin(thread, _stop.Token);
        _stopping = run.Stopping.UnsafeRegister(static self => ((WorkerRun)self!).Cancel(), this);
    }

    /// <summary>Cancels all. Any thread; waits for none.</summary>
    public void Cancel()
    {
        // callbacks of the token must not run on the thread that stops the server
        _ = _stop.CancelAsync().ContinueWith(
            (failed, thread) => ((ICommandThread)thread!).Threw(DeviceCallback.Worker, failed.Exception!.GetBaseException()), _thread,
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _workers.Cancelled();
    }

    /// <summary>Waits until all have ended; for one second if the thread has other devices to serve.</summary>
    public void Await()
    {
        while (!_workers.Ended.Wait(WarningInterval))
        {
            if (!_run.MayBlock)
            {
                _run.Log.WorkersAbandoned(_workers.Names);
                return;
            }
            _run.Log.WorkersWait(_workers.Names);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        // a cancelled source holds no resources, and may still be calling back
        if (!_stop.IsCancellationRequested)
            _stop.Dispose();
    }
}
