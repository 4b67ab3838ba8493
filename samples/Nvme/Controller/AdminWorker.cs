using System.Runtime.InteropServices;
using Nvme.Commands;
using Nvme.Queues;
using Nvme.Threads;
using Nvme.Wire;
using VfioUser;

namespace Nvme.Controller;

/// <summary>Serves the admin queue, one command after the other, and does what takes its time.</summary>
internal sealed class AdminWorker : Worker
{
    private readonly ControllerParts _parts;
    private readonly AdminCommands _commands;
    private readonly CommandContext _context;
    private readonly byte[] _entry = new byte[Command.WireSize];

    public AdminWorker(ControllerParts parts)
        : base("nvme admin")
    {
        _parts = parts;
        _commands = new AdminCommands(parts);
        _context = new CommandContext(parts);
    }

    protected override bool Work()
    {
        bool worked = _parts.Lifecycle.Advance();
        if (_parts.Interrupts.NeedsLooks)
            _parts.Interrupts.Look();
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

    // all of it: what came since the look before, a register's write most of all, woke nobody
    protected override bool LastLook() => Work() || (_parts.Queues.Admin is { } queue && queue.IsUnreachable && _parts.TellOfLoss());

    protected override IdleStrategy Idle =>
        _parts.Doorbells.IsMapped && _parts.Queues.Admin is not null ? MappedDoorbells.Rarely : MappedDoorbells.Never;

    protected override void Failed(Exception exception) => _parts.Fail(exception.ToString());

    private bool Serve(SubmissionQueue queue)
    {
        DmaResult fetched = queue.Fetch(_entry, out int count);
        if (fetched != DmaResult.Done)
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
