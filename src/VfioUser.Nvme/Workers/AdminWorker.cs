using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Serves the admin queue, one command after the other, and does what takes its time.</summary>
internal sealed class AdminWorker : PollingWorker
{
    private readonly ControllerParts _parts;
    private readonly Func<bool> _advance;
    private readonly AdminCommands _commands;
    private readonly CommandContext _context;
    private readonly byte[] _entry = new byte[Command.WireSize];

    /// <param name="device">Whose thread it is.</param>
    /// <param name="parts">The controller.</param>
    /// <param name="advance">Does what the guest has asked of the controller itself; whether there was anything.</param>
    public AdminWorker(PciDevice device, ControllerParts parts, Func<bool> advance)
        : base(device, "nvme admin", entersWork: false)
    {
        _parts = parts;
        _advance = advance;
        _commands = new AdminCommands(parts);
        _context = new CommandContext(parts);
    }

    protected override bool Poll()
    {
        try
        {
            return PollQueue();
        }
        catch (Exception e)
        {
            _parts.Fail(e.ToString());
            return false;
        }
    }

    // all of it: what came since the last poll, a register's write most of all, woke nobody
    protected override bool Arm() => Poll() || (_parts.Queues.Admin is { } queue && queue.IsUnreachable && _parts.TellOfLoss());

    private bool PollQueue()
    {
        bool worked = _advance();
        if (_parts.Interrupts.NeedsPolling)
            _parts.Interrupts.Poll();
        if (!_context.Pass.TryEnter())
            return worked;
        try
        {
            if (_parts.Queues.Admin is not { } queue || _parts.HasFailed)
                return worked;
            worked |= _parts.PostHeld();
            worked |= Serve(queue);
            if (_context.Pass.IsInside && _parts.Events.Deliver(queue))
                _parts.Interrupts.Notify(queue.Completions);
            return worked;
        }
        finally
        {
            _context.Pass.Leave();
        }
    }

    protected override IdleStrategy Idle =>
        _parts.Doorbells.IsMapped && _parts.Queues.Admin is not null ? PollingIntervals.Rarely : PollingIntervals.Never;

    private bool Serve(SubmissionQueue queue)
    {
        DmaResult fetched = queue.Fetch(_entry, out int count);
        if (!fetched)
        {
            _parts.FailQueue("the admin queue", queue.Address, fetched);
            return false;
        }
        if (count == 0)
            return false;
        Command command = MemoryMarshal.Read<Command>(_entry);
        CommandOutcome outcome = _commands.Execute(command, _context, out uint result); // throws nothing
        if (!outcome.IsCompleted || !_context.Pass.TryEnter())
            queue.Abandon(1);
        else if (_parts.Complete(queue, command.Id, outcome.Status, result))
            _parts.Interrupts.Notify(queue.Completions);
        return true;
    }
}
