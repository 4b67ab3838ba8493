namespace VfioUser.Nvme;

/// <summary>Threads for commands that block or take their time: as many may block at one time as there are threads.</summary>
internal sealed class IoPool
{
    private readonly object _gate = new();
    private readonly IoCommands _commands;
    private readonly CommandEnd _end;
    private readonly Queue<CommandSlot> _posted = new();
    private int _idle;

    /// <param name="device">Whose threads they are.</param>
    /// <param name="commands">Carries them out.</param>
    /// <param name="end">Completes them.</param>
    /// <param name="threads">How many.</param>
    public IoPool(PciDevice device, IoCommands commands, CommandEnd end, int threads)
    {
        _commands = commands;
        _end = end;
        for (int i = 0; i < threads; i++)
            device.AddWorkerThread($"nvme disk {i}", (_, stop) => Run(stop));
    }

    /// <summary>Has a command carried out and completed. Waits for nothing.</summary>
    public void Post(CommandSlot slot)
    {
        lock (_gate)
        {
            _posted.Enqueue(slot);
            if (_idle > 0)
                Monitor.Pulse(_gate);
        }
    }

    private void Run(CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static self => ((IoPool)self!).Stop(), this);
        while (TryTake(stop) is { } slot)
        {
            if (!slot.Pass.TryEnter())
            {
                _end.Complete(slot, CommandOutcome.NoCompletion);
                continue;
            }
            ValueTask<CommandOutcome> running = _commands.Execute(slot, slot.Pass); // throws nothing
            if (running.IsCompleted)
                _end.Complete(slot, running.GetAwaiter().GetResult());
            else
                slot.CompleteLater(running);
        }
    }

    // the guest has gone, or is about to: what it waited for may never come
    private void Stop()
    {
        _end.Slots.CancelAll();
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    // what was posted is taken before the end: a queue waits for it
    private CommandSlot? TryTake(CancellationToken stop)
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
