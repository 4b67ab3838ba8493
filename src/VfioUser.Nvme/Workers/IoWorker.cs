using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Serves some I/O queues in turn: fetches commands, carries them out or has them carried out where they block.</summary>
internal sealed class IoWorker : PollingWorker, IQueueWorker
{
    public const int MaxBurst = 32;

    // what another thread than this one's does at one time
    private const int FewCommands = 2;

    // from a disk, the rest of a burst takes longer than to tell the driver, who takes these meanwhile
    private const int NotifyAfter = MaxBurst / 2;

    private readonly Lock _serving = new();
    private readonly ControllerParts _parts;
    private readonly IoCommands _commands;
    private readonly IoPool _pool;
    private readonly CommandSlots _slots;
    private readonly DelayedCommands _delays;
    private readonly GuestPass _pass;
    private readonly AdaptivePolling _polling;
    private readonly byte[] _entries = new byte[MaxBurst * Command.WireSize];
    private volatile SubmissionQueue[] _queues = [];
    private CommandSlot _slot; // of the command at hand
    private int _reserved; // slots for the next ones
    private Disk? _asked; // has something to begin
    private volatile bool _leavesToDisk; // what blocks other threads

    /// <param name="device">Whose thread it is.</param>
    /// <param name="parts">The controller.</param>
    /// <param name="commands">Carries them out.</param>
    /// <param name="pool">For those that block.</param>
    /// <param name="slots">For all that do not end at once.</param>
    /// <param name="delays">For those that wait for the rate of their namespace.</param>
    /// <param name="number">From 1 on.</param>
    public IoWorker(PciDevice device, ControllerParts parts, IoCommands commands, IoPool pool, CommandSlots slots, DelayedCommands delays, int number)
        : base(device, $"nvme io {number}", entersWork: false)
    {
        _parts = parts;
        _commands = commands;
        _pool = pool;
        _slots = slots;
        _delays = delays;
        _slot = slots.Take();
        _pass = new GuestPass(parts.Guest);
        _polling = new AdaptivePolling(parts.Options, parts.Doorbells.IsMapped);
    }

    /// <summary>Whose queues it serves. The admin thread changes them.</summary>
    public IReadOnlyCollection<SubmissionQueue> Queues => _queues;

    public void Add(SubmissionQueue queue)
    {
        queue.Worker = this;
        _queues = [.. _queues, queue];
        Wake();
    }

    public void Remove(SubmissionQueue queue) => _queues = [.. _queues.Where(other => other != queue)];

    public void RemoveAll() => _queues = [];

    /// <summary>Returns when what it does now is done. Outside of the guard: it may wait for a disk.</summary>
    public void WaitForRound()
    {
        _serving.Enter();
        _serving.Exit();
    }

    /// <summary>A queue was rung: serves it on the caller's thread if this one sleeps, for waking it takes longer than a few commands.</summary>
    /// <remarks>Command thread. Waits for no disk, for no other thread, and not for the client: one that waits for the Command
    /// thread meanwhile, as QEMU does for the reply to an unmap, would answer for its memory only afterwards.</remarks>
    public void DoorbellWritten(SubmissionQueue queue)
    {
        if (_parts.HasMessageMemory || _leavesToDisk || !IsAsleep || !_serving.TryEnter())
        {
            Wake();
            return;
        }
        bool more = true;
        try
        {
            // many are better done in one go, with one interrupt
            if (queue.Pending() <= FewCommands)
            {
                Serve(queue, FewCommands, mayWait: false);
                more = _polling.IsWrittenOften() || PollAndArm();
            }
        }
        catch (Exception e)
        {
            _parts.Fail(e.ToString());
        }
        finally
        {
            _serving.Exit();
        }
        if (more)
            Wake();
    }

    protected override bool Poll()
    {
        try
        {
            bool worked = false;
            lock (_serving)
            {
                foreach (SubmissionQueue queue in _queues)
                    worked |= Serve(queue, MaxBurst, mayWait: true);
            }
            if (_parts.Interrupts.NeedsPolling)
                _parts.Interrupts.Poll();
            return worked;
        }
        catch (Exception e)
        {
            _parts.Fail(e.ToString());
            return false;
        }
    }

    protected override bool Arm()
    {
        try
        {
            lock (_serving)
                return PollAndArm();
        }
        catch (Exception e)
        {
            // the worker must not end: its queues would hang without a word to the guest
            _parts.Fail(e.ToString());
            return false;
        }
    }

    private bool PollAndArm()
    {
        if (!_pass.TryEnter())
            return false;
        try
        {
            bool found = false;
            bool lost = false;
            foreach (SubmissionQueue queue in _queues)
            {
                queue.Tail.Arm();
                if (queue.Pending() > 0 && !_parts.HasFailed)
                    found |= queue.IsReachable() && queue.Completions.HasRoomOrIsArmed(queue.Needed) && HasSlots(queue.Needed, queue.Needed);
                lost |= queue.IsUnreachable || queue.Tail.IsUnreachable || queue.Completions.Head.IsUnreachable;
            }
            return found || (lost && _parts.TellOfLoss());
        }
        finally
        {
            _pass.Leave();
        }
    }

    // without a queue there is nothing to poll for
    protected override IdleStrategy Idle => _queues.Length > 0 ? _polling.Idle : PollingIntervals.Never;

    private bool Serve(SubmissionQueue queue, int most, bool mayWait)
    {
        if (!_pass.TryEnter())
            return false;
        try
        {
            if (_parts.HasFailed || !HasSlots(most, queue.Needed))
                return false;
            int burst = Math.Min(Math.Min(most, _reserved), Math.Max(_parts.Features.ArbitrationBurst, queue.Needed)) * Command.WireSize;
            DmaResult fetched = queue.Fetch(_entries.AsSpan(0, burst), out int count);
            if (!fetched)
            {
                _parts.FailQueue($"submission queue {queue.Id}", queue.Address, fetched);
                return false;
            }
            if (count > 0)
            {
                _polling.Fetched(queue);
                CarryOut(queue, MemoryMarshal.Cast<byte, Command>(_entries.AsSpan(0, count * Command.WireSize)), mayWait);
            }
            return count > 0;
        }
        finally
        {
            _pass.Leave();
        }
    }

    // each command that is fetched finds a slot, should it have to wait
    private bool HasSlots(int most, int least)
    {
        if (_reserved < most)
            _reserved += _slots.Reserve(MaxBurst - _reserved);
        return _reserved >= least;
    }

    private void CarryOut(SubmissionQueue queue, ReadOnlySpan<Command> commands, bool mayWait)
    {
        int left = commands.Length;
        try
        {
            CarryOut(queue, commands, mayWait, ref left);
        }
        finally
        {
            if (left > 0)
                queue.Abandon(left); // the controller was reset meanwhile
            Asked(null);
        }
    }

    // What was asked of one disk in a row is begun together. Null if the disk has answered by now.
    private void Asked(Disk? disk)
    {
        if (_asked == disk)
            return;
        if (_asked is { MayBlock: true })
            _pass.Leave();
        _asked?.Submit();
        _asked = disk;
    }

    private void CarryOut(SubmissionQueue queue, ReadOnlySpan<Command> commands, bool mayWait, ref int left)
    {
        int posted = 0;
        for (int i = 0; i < commands.Length; i++)
        {
            _slot.Begin(queue, commands[i]);
            if (IsFused(commands[i..]))
            {
                left -= 2;
                PostFused(queue, commands[i++], commands[i]);
                continue;
            }
            if (IsDelayed(commands[i]))
            {
                left--;
                continue;
            }
            bool blocks = _commands.Blocks(commands[i]);
            if (!MayCarryOut(commands, i, blocks, mayWait))
            {
                left--;
                _pool.Post(GiveSlot());
                continue;
            }
            ValueTask<CommandOutcome> running = _commands.Execute(_slot, _pass);
            left--;
            if (!running.IsCompleted)
            {
                Asked(_slot.Space?.Disk);
                GiveSlot().CompleteLater(running);
                if (!_pass.TryEnter())
                    return;
                continue;
            }
            _slot.Pass.Leave();
            CommandOutcome outcome = running.GetAwaiter().GetResult();
            if (outcome.IsPostponed)
            {
                _pool.Postpone(GiveSlot(), _commands.SpaceOf(commands[i]));
                continue;
            }
            if (!_pass.TryEnter())
            {
                queue.Abandon(1);
                return;
            }
            if (!outcome.IsCompleted)
                queue.Abandon(1);
            else if (_parts.Complete(queue, commands[i].Id, outcome.Status, 0))
                posted++;
            if (blocks && posted == NotifyAfter)
            {
                _parts.Interrupts.Notify(queue.Completions);
                posted = 0;
            }
        }
        if (posted > 0)
            _parts.Interrupts.Notify(queue.Completions);
    }

    // Whether this thread carries out the command at hand, itself or by its disk.
    private bool MayCarryOut(ReadOnlySpan<Command> commands, int i, bool blocks, bool mayWait)
    {
        bool isInline = blocks ? _commands.IsInline(commands[i]) : !_parts.HasMessageMemory;
        bool isAlone = blocks && MayWait(commands);
        // this thread wakes from a command alone by itself: the disk's would be one more
        _slot.IsInline = isInline && !isAlone;
        _leavesToDisk = blocks && _slot.IsInline;
        return !blocks || (mayWait && (isInline || isAlone || _commands.IsFast(commands[i])));
    }

    // by the rate of its namespace
    private bool IsDelayed(in Command command)
    {
        TimeSpan wait = _commands.Admit(command, out RateLimiter? limiter, out long bytes);
        if (wait <= TimeSpan.Zero || _delays.IsSuspended)
            return false;
        _delays.Post(GiveSlot(), wait, limiter!, bytes);
        return true;
    }

    private static bool IsFused(ReadOnlySpan<Command> commands) =>
        commands.Length > 1 && commands[0].Fuse == IoCommands.FusedFirst && commands[1].Fuse == IoCommands.FusedSecond;

    // the slot at hand has the first one
    private void PostFused(SubmissionQueue queue, in Command first, in Command second)
    {
        TimeSpan wait = _commands.Admit(first, out RateLimiter? limiter, out long bytes);
        CommandSlot slot = GiveSlot();
        _slot.Begin(queue, second);
        slot.Second = GiveSlot();
        if (wait > TimeSpan.Zero && !_delays.IsSuspended)
            _delays.Post(slot, wait, limiter!, bytes);
        else
            _pool.Post(slot);
    }

    // The command at hand goes on without this thread.
    private CommandSlot GiveSlot()
    {
        CommandSlot given = _slot;
        given.IsWaiting = true;
        _slot = _slots.Take();
        _reserved--;
        return given;
    }

    // What waits for a disk goes elsewhere, unless it is short and there is nothing that it could keep waiting.
    private bool MayWait(ReadOnlySpan<Command> commands)
    {
        if (commands.Length != 1 || commands[0].IsForceUnitAccess || (IoOpcode)commands[0].Opcode is not (IoOpcode.Read or IoOpcode.Write))
            return false;
        int inFlight = 0;
        foreach (SubmissionQueue queue in _queues)
            inFlight += queue.InFlight.Users;
        return inFlight == 1;
    }
}
