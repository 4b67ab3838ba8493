namespace VfioUser.Virtio;

/// <summary>Threads for requests that block or take their time: as many may block at one time as there are threads.</summary>
internal sealed class DiskThreads
{
    private readonly object _gate = new();
    private readonly Queue<BlockRequest> _posted = new();
    private readonly Action<BlockRequest> _run;
    private int _idle;

    /// <param name="device">Whose threads they are.</param>
    /// <param name="count">How many.</param>
    /// <param name="run">Carries a request out. Throws nothing.</param>
    public DiskThreads(PciDevice device, int count, Action<BlockRequest> run)
    {
        _run = run;
        for (int i = 0; i < count; i++)
            device.AddWorkerThread($"virtio disk {i}", (_, stop) => Run(stop));
    }

    /// <summary>Has a request carried out. Waits for nothing.</summary>
    public void Post(BlockRequest request)
    {
        lock (_gate)
        {
            _posted.Enqueue(request);
            if (_idle > 0)
                Monitor.Pulse(_gate);
        }
    }

    private void Run(CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static self => ((DiskThreads)self!).WakeAll(), this);
        while (TryTake(stop) is { } request)
            _run(request);
    }

    private void WakeAll()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    // what was posted is taken before the end: its queue waits for it
    private BlockRequest? TryTake(CancellationToken stop)
    {
        lock (_gate)
        {
            while (_posted.Count == 0)
            {
                if (stop.IsCancellationRequested)
                    return null;
                _idle++;
                Monitor.Wait(_gate);
                _idle--;
            }
            return _posted.Dequeue();
        }
    }
}
