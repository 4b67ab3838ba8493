namespace VfioUser.Nvme;

/// <summary>Threads for commands that block or take their time: as many may block at one time as there are threads.</summary>
internal sealed class IoPool
{
    private readonly object _gate = new();
    private readonly IoCommands _commands;
    private readonly CommandEnd _end;
    private readonly Queue<CommandSlot> _posted = new();
    private readonly List<(CommandSlot Slot, Namespace Space)> _postponed = [];
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

    /// <summary>Has a command carried out again that was postponed, as soon as it can begin.</summary>
    public void Postpone(CommandSlot slot, Namespace? space)
    {
        lock (_gate)
        {
            if (space is { IsHeld: true })
            {
                _postponed.Add((slot, space));
                return;
            }
        }
        Post(slot);
    }

    /// <summary>Commands to a namespace can begin that were postponed. Any thread.</summary>
    public void Resume(Namespace space)
    {
        lock (_gate)
        {
            foreach ((CommandSlot slot, Namespace other) in _postponed)
            {
                if (other == space)
                    _posted.Enqueue(slot);
            }
            _postponed.RemoveAll(postponed => postponed.Space == space);
            Monitor.PulseAll(_gate);
        }
    }

    private void RunFused(CommandSlot first)
    {
        CommandSlot second = first.Second!;
        (CommandOutcome outcome, CommandOutcome secondOutcome) = _commands.ExecuteFused(first, out Namespace? space); // throws nothing
        space?.Shared.EndFused();
        _end.Complete(first, outcome);
        _end.Complete(second, secondOutcome);
    }

    private void Run(CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static self => ((IoPool)self!).Stop(), this);
        while (TryTake(stop) is { } slot)
        {
            if (slot.Second is not null)
            {
                RunFused(slot);
                continue;
            }
            if (!slot.Pass.TryEnter())
            {
                _end.Complete(slot, CommandOutcome.NoCompletion);
                continue;
            }
            ValueTask<CommandOutcome> running = _commands.Execute(slot, slot.Pass); // throws nothing
            if (!running.IsCompleted)
            {
                Disk? disk = slot.Space?.Disk; // null if it has answered by now
                slot.CompleteLater(running);
                disk?.Submit();
                continue;
            }
            CommandOutcome outcome = running.GetAwaiter().GetResult();
            if (!outcome.IsPostponed)
            {
                _end.Complete(slot, outcome);
                continue;
            }
            slot.Pass.Leave();
            Postpone(slot, _commands.SpaceOf(slot.Command));
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
