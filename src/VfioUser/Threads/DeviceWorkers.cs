namespace VfioUser;

/// <summary>A device's workers.</summary>
internal sealed class DeviceWorkers
{
    private readonly List<DeviceWorker> _workers = []; // complete when the device is served
    private readonly List<(DeviceWorker Worker, Task Run)> _runs = [];

    /// <summary>Whether the device has none.</summary>
    public bool IsEmpty => _workers.Count == 0;

    /// <summary>Completes when all have ended.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>The names of those that have not ended.</summary>
    public string Names => string.Join(", ", _runs.Where(run => !run.Run.IsCompleted).Select(run => run.Worker.Name));

    /// <summary>Setup.</summary>
    public void Add(DeviceWorker worker) => _workers.Add(worker);

    /// <summary>Starts all: the device is served.</summary>
    /// <param name="thread">Reports their exceptions.</param>
    /// <param name="stop">Cancelled when they are to end; <see cref="Cancelled"/> follows.</param>
    public void Begin(ICommandThread thread, CancellationToken stop)
    {
        _runs.Clear();
        foreach (DeviceWorker worker in _workers)
            _runs.Add((worker, worker.RunAsync(thread, stop)));
        Ended = Task.WhenAll(_runs.Select(run => run.Run));
    }

    /// <summary>Wakes those that wait to enter. Any thread.</summary>
    public void Cancelled()
    {
        foreach (DeviceWorker worker in _workers)
            worker.Work.Stopped();
    }

    /// <summary>Closes the rundown protection of all: the device is about to be quiesced.</summary>
    /// <returns>Completes when no worker is inside.</returns>
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

    /// <summary>Opens it again: the device is resumed, or was not quiesced.</summary>
    public void Open()
    {
        foreach (DeviceWorker worker in _workers)
            worker.Work.Open();
    }

    /// <summary>Completes with the device's answer when no worker is inside any more.</summary>
    /// <param name="inside">From <see cref="Close"/>.</param>
    /// <param name="answer">The device's.</param>
    public async ValueTask<bool> QuiesceAsync(Task inside, ValueTask<bool> answer)
    {
        bool isQuiesced = false;
        try
        {
            isQuiesced = await answer.ConfigureAwait(false);
            // not cancelled: without a client their accesses fail, and they leave
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
