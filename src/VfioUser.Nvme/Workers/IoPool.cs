namespace VfioUser.Nvme;

/// <summary>Threads for commands that wait for a disk or take their time: as many may wait at one time as there are threads.</summary>
internal sealed class IoPool
{
    private readonly object _gate = new();
    private readonly ControllerParts _parts;
    private readonly IoCommands _commands;
    private readonly Job[] _jobs;
    private int _first;
    private int _count;
    private int _idle;

    /// <param name="device">Whose threads they are.</param>
    /// <param name="parts">The controller.</param>
    /// <param name="commands">Carries them out.</param>
    /// <param name="threads">How many.</param>
    public IoPool(PciDevice device, ControllerParts parts, IoCommands commands, int threads)
    {
        _parts = parts;
        _commands = commands;
        _jobs = new Job[threads * 4 + IoWorker.FewCommands];
        for (int i = 0; i < threads; i++)
            device.AddWorkerThread($"nvme disk {i}", (_, stop) => Run(stop));
    }

    /// <summary>Whether as many as <see cref="IoWorker.FewCommands"/> that are urgent will find room.</summary>
    public bool HasRoom => Volatile.Read(ref _count) <= _jobs.Length - IoWorker.FewCommands;

    /// <summary>Has a command carried out and completed.</summary>
    /// <param name="queue">Where it came from.</param>
    /// <param name="command">A copy of ours.</param>
    /// <param name="urgent">For the Command thread, which must not do it itself: it has room that nobody else gets.</param>
    /// <returns>False when there is no room: then the caller does it, and meanwhile fetches no more.</returns>
    public bool TryPost(SubmissionQueue queue, in Command command, bool urgent)
    {
        lock (_gate)
        {
            if (_count >= _jobs.Length - (urgent ? 0 : IoWorker.FewCommands))
                return false;
            _jobs[(_first + _count) % _jobs.Length] = new Job(queue, command);
            _count++;
            if (_idle > 0)
                Monitor.Pulse(_gate);
            return true;
        }
    }

    private void Run(CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static self => ((IoPool)self!).WakeAll(), this);
        CommandContext context = new(_parts);
        while (TryTake(stop, out Job job))
        {
            try
            {
                CarryOut(job.Queue, job.Command, context);
            }
            catch (Exception e)
            {
                // it may be the next guest's controller by now
                if (context.Pass.IsInside)
                    _parts.Fail(e.ToString());
                else
                    _parts.LogUnexpected(e);
            }
            finally
            {
                context.Pass.Leave();
            }
        }
    }

    private void CarryOut(SubmissionQueue queue, in Command command, CommandContext context)
    {
        CommandOutcome outcome = CommandOutcome.NoCompletion;
        if (context.Pass.TryEnter())
            outcome = _commands.Execute(command, queue.Id, context);
        if (!outcome.IsCompleted || !context.Pass.TryEnter())
        {
            queue.Abandon(1); // the controller was reset meanwhile
            return;
        }
        _ = _parts.Complete(queue, command.Id, outcome.Status, 0);
        _parts.Interrupts.Notify(queue.Completions);
    }

    private void WakeAll()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    // what was posted is taken before the end: a queue waits for it
    private bool TryTake(CancellationToken stop, out Job job)
    {
        lock (_gate)
        {
            while (_count == 0)
            {
                if (stop.IsCancellationRequested)
                {
                    job = default;
                    return false;
                }
                _idle++;
                Monitor.Wait(_gate);
                _idle--;
            }
            job = _jobs[_first];
            _first = (_first + 1) % _jobs.Length;
            _count--;
            return true;
        }
    }

    private readonly record struct Job(SubmissionQueue Queue, Command Command);
}
