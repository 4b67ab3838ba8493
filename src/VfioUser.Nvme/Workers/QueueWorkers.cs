namespace VfioUser.Nvme;

/// <summary>All threads of a controller: one for the admin queue, some for the I/O queues, and some that wait for disks.</summary>
internal sealed class QueueWorkers : IQueueWorkers
{
    private readonly ControllerParts _parts;
    private readonly AdminWorker _admin;
    private readonly IoWorker[] _io;
    private readonly CommandSlots _slots;
    private readonly DelayedCommands _delays;

    /// <param name="device">Whose threads they are.</param>
    /// <param name="parts">The controller.</param>
    /// <param name="advance">Does what the guest has asked of the controller itself, on the admin thread; whether there was anything.</param>
    public QueueWorkers(PciDevice device, ControllerParts parts, Func<bool> advance)
    {
        IoCommands commands = new(parts);
        CommandEnd end = new(parts);
        int slots = parts.Options.DiskCommands + parts.Options.WorkerCount * IoWorker.MaxBurst;
        end.Slots = _slots = new CommandSlots(slots, () => new CommandSlot(parts, end.Complete), WakeIo);
        IoPool pool = new(device, commands, end, parts.Options.DiskThreads);
        parts.Namespaces.Resumed = pool.Resume;
        parts.Namespaces.Abort = Abort;
        parts.Namespaces.Preempt = _slots.Preempt;
        _delays = new DelayedCommands(pool, parts.Time);
        _io = [.. Enumerable.Range(1, parts.Options.WorkerCount).Select(number => new IoWorker(device, parts, commands, pool, end.Slots, _delays, number))];
        _admin = new AdminWorker(device, parts, advance);
        _ = new SelfTestWorker(device, parts);
        _parts = parts;
    }

    public void WakeAdmin() => _admin.Wake();

    public void WakeIo()
    {
        foreach (IoWorker worker in _io)
            worker.Wake();
    }

    public void Assign(SubmissionQueue queue) => _io.MinBy(worker => worker.Queues.Count)!.Add(queue);

    public void Abort(SubmissionQueue queue, ushort commandId) => _slots.Cancel(queue, commandId);

    public void Abort(Namespace space)
    {
        _slots.Cancel(space);
        _parts.SelfTests.Release(space);
    }

    public void SuspendRates(bool suspended) => _delays.IsSuspended = suspended;

    public void AbortAll() => _slots.CancelAll();

    public void RemoveAll()
    {
        foreach (IoWorker worker in _io)
            worker.RemoveAll();
    }

    public void WaitForRounds()
    {
        foreach (IoWorker worker in _io)
            worker.WaitForRound();
    }
}
