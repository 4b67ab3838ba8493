namespace VfioUser;

/// <summary>A device's workers.</summary>
internal sealed class DeviceWorkers
{
    private readonly List<DeviceWorker> _workers = []; // complete when the device is served
    private readonly List<(DeviceWorker Worker, Task Run)> _runs = [];

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => _workers.Count == 0;

    /// <summary>Ends when all have ended.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Those that have not ended, by name.</summary>
    public string Names => string.Join(", ", _runs.Where(run => !run.Run.IsCompleted).Select(run => run.Worker.Name));

    /// <summary>Setup.</summary>
    public void Add(DeviceWorker worker) => _workers.Add(worker);

    /// <summary>The device is served: all begin.</summary>
    /// <param name="thread">Told of exceptions.</param>
    /// <param name="stop">Cancelled when they are to end; <see cref="Cancelled"/> follows.</param>
    public void Begin(ICommandThread thread, CancellationToken stop)
    {
        _runs.Clear();
        foreach (DeviceWorker worker in _workers)
            _runs.Add((worker, worker.RunAsync(thread, stop)));
        Ended = Task.WhenAll(_runs.Select(run => run.Run));
    }

    /// <summary>Whoever waits to enter comes back. Any thread.</summary>
    public void Cancelled()
    {
        foreach (DeviceWorker worker in _workers)
            worker.Work.Stopped();
    }

    /// <summary>The device is about to be quiesced: lets nobody in any more.</summary>
    /// <returns>Ends when nobody is inside.</returns>
    public Task Close()
    {
        List<Task>? inside = null;
        foreach (DeviceWorker worker in _workers)
        {
            if (worker.Work.Close() is { IsCompleted: false } left)
                (inside ??= []).Add(left);
        }
        return inside is null ? Task.CompletedTask : Task.WhenAll(inside);
    }

    /// <summary>The device is resumed, or was not quiesced in the end.</summary>
    public void Open()
    {
        foreach (DeviceWorker worker in _workers)
            worker.Work.Open();
    }

    /// <summary>Makes the device's answer wait for those inside.</summary>
    /// <param name="inside">From <see cref="Close"/>.</param>
    /// <param name="answer">The device's.</param>
    public async ValueTask<bool> QuiesceAsync(Task inside, ValueTask<bool> answer)
    {
        bool isQuiesced = false;
        try
        {
            isQuiesced = await answer.ConfigureAwait(false);
            // to be told to give up changes nothing here: what they wait for fails, and then they leave
            if (isQuiesced)
                await inside.ConfigureAwait(false);
            return isQuiesced;
        }
        finally
        {
            if (!isQuiesced)
                Open();
        }
    }
}
