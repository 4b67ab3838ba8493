using System.Runtime.CompilerServices;

namespace VfioUser.Nvme;

/// <summary>Carries out commands of I/O queues. NVMe 1.4 6.</summary>
/// <remarks>
/// Any thread, several at once. Allocates nothing for a disk that answers before its call returns, and little for others. The pass is
/// the calling thread's; what comes after a wait uses the command's own.
/// </remarks>
internal sealed partial class IoCommands(ControllerParts parts)
{
    private const uint AllNamespaces = 0xFFFF_FFFF;

    /// <summary>Whether carrying a command out may block the thread, or is about so many blocks that it takes its time.</summary>
    public bool Blocks(in Command command) => command.Nsid == AllNamespaces
        || (IoOpcode)command.Opcode is IoOpcode.WriteZeroes or IoOpcode.DatasetManagement or IoOpcode.Verify or IoOpcode.Copy
        || IsOfReservations((IoOpcode)command.Opcode)
        || parts.Namespaces.Attached(command.Nsid) is { MayBlock: true };

    /// <summary>The namespace of a command, or null.</summary>
    public Namespace? SpaceOf(in Command command) => parts.Namespaces.Allocated(command.Nsid);

    /// <summary>Whether a command that may block probably does not.</summary>
    public bool IsFast(in Command command) => parts.Namespaces.Attached(command.Nsid) is { LatencyTracker.IsFast: true }
        && !command.IsForceUnitAccess
        && ((IoOpcode)command.Opcode is IoOpcode.Read || ((IoOpcode)command.Opcode is IoOpcode.Write && !parts.WritesThrough));

    /// <summary>Whether a command that may block is carried out by its disk while the thread goes on with others.</summary>
    public bool IsInline(in Command command)
    {
        // what the answer is for would have to leave the disk's thread
        if (parts.HasMessageMemory || command.IsForceUnitAccess || parts.Namespaces.Attached(command.Nsid) is not { } space)
            return false;
        return (IoOpcode)command.Opcode switch
        {
            IoOpcode.Read => space.Disk.IsAsynchronous(writes: false),
            IoOpcode.Write => !parts.WritesThrough && space.Disk.IsAsynchronous(writes: true),
            _ => false,
        };
    }

    /// <summary>Carries a command out. Throws nothing, now or later: an exception of a disk is a status.</summary>
    /// <param name="slot">Has the command.</param>
    /// <param name="pass">This thread's, inside the guard; outside if the disk took its time and the controller was reset.</param>
    /// <returns>Not completed if the disk has not answered yet.</returns>
    public ValueTask<CommandOutcome> Execute(CommandSlot slot, GuestPass pass)
    {
        ValueTask<CommandOutcome> running;
        try
        {
            running = slot.IsCancelled ? Ended(Status.AbortRequested) : slot.Command.Fuse != 0 ? Ended(Unfused(slot.Command)) : Dispatch(slot, pass);
            if (running.IsCompleted)
                return Ended(End(slot, running.GetAwaiter().GetResult()));
        }
        catch (Exception e)
        {
            return Ended(End(slot, StatusOf(slot.Command, e)));
        }
        return Await(running, slot);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<CommandOutcome> Await(ValueTask<CommandOutcome> running, CommandSlot slot)
    {
        CommandOutcome outcome;
        try
        {
            outcome = await running.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            outcome = StatusOf(slot.Command, e);
        }
        if (MustLeaveThread)
            await Task.Yield();
        return End(slot, outcome);
    }

    // A disk's thread may bring the answers of other guests, so it waits for no client: where memory is accessed by messages, the pool does.
    private bool MustLeaveThread => parts.HasMessageMemory && !Thread.CurrentThread.IsThreadPoolThread;

    /// <summary>Takes what a command needs from the rate of its namespace.</summary>
    /// <param name="command">The command.</param>
    /// <param name="limiter">The rate; null if there is none.</param>
    /// <param name="bytes">What was taken.</param>
    /// <returns>How long it has to wait for it.</returns>
    public TimeSpan Admit(in Command command, out RateLimiter? limiter, out long bytes)
    {
        (limiter, bytes) = (null, 0);
        // a host that has the rate taken up must not keep others from taking the namespace away
        if (parts.Namespaces.Attached(command.Nsid) is not { Limiter: { } rate } space || IsOfReservations((IoOpcode)command.Opcode))
            return TimeSpan.Zero;
        limiter = rate;
        bytes = (IoOpcode)command.Opcode switch
        {
            IoOpcode.Read or IoOpcode.Write or IoOpcode.Compare => Math.Min(LengthOf(command, space), CommandContext.MaxTransfer),
            IoOpcode.WriteZeroes or IoOpcode.Verify => LengthOf(command, space),
            _ => 0,
        };
        return rate.Take(bytes);
    }

    private CommandOutcome End(CommandSlot slot, CommandOutcome outcome)
    {
        slot.Space?.End();
        (slot.Space, slot.FusedSpace) = (null, null);
        if (slot.IsPreempted && outcome is { IsCompleted: true, Status: Status.AbortRequested })
            outcome = Status.AbortedByPreempt;
        if (outcome.HasFailed)
            parts.Errors.Add(slot.Queue.Id, slot.Command, outcome.Status, slot.Command.StartingLba);
        return outcome;
    }

    private ValueTask<CommandOutcome> Dispatch(CommandSlot slot, GuestPass pass)
    {
        Command command = slot.Command;
        IoOpcode opcode = (IoOpcode)command.Opcode;
        if (opcode is not (IoOpcode.Flush or IoOpcode.Write or IoOpcode.Read or IoOpcode.Compare or IoOpcode.WriteUncorrectable
            or IoOpcode.WriteZeroes or IoOpcode.DatasetManagement or IoOpcode.Verify or IoOpcode.Copy)
            && !(parts.Subsystem.IsShared && IsOfReservations(opcode)))
        {
            return Ended(Status.InvalidOpcode);
        }
        if (opcode == IoOpcode.Flush && command.Nsid == AllNamespaces)
            return FlushAll(pass);
        if (parts.Namespaces.Attached(command.Nsid) is not { } space)
            return Ended(parts.Namespaces.Refusal(command.Nsid));
        if (space.PathStatus is not Status.Success and Status path)
            return Ended(path);
        if (IsOfReservations(opcode))
            return Reserve(opcode, slot, space, pass);
        if (!space.TryBegin())
            return Ended(Unbegun(space));
        slot.Space = space;
        // not before: whoever preempts the host waits for what has begun
        if (space.IsReserved(Writes(opcode)))
            return Ended(Status.ReservationConflict);
        return opcode switch
        {
            IoOpcode.Flush => Flush(space, pass),
            IoOpcode.DatasetManagement => DatasetManagement(slot, space, pass),
            IoOpcode.Copy => Copy(slot, space, pass),
            _ => space.Contains(command.StartingLba, (ulong)command.BlockCount) ? OnBlocks(opcode, slot, space, pass) : Ended(Status.LbaOutOfRange),
        };
    }

    // what kept it from beginning may be over by now: then it is tried again
    private CommandOutcome Unbegun(Namespace space)
    {
        if (!space.IsAttached)
            return parts.Namespaces.Refusal(space.Id);
        return space.Shared.IsFormatting ? Status.FormatInProgress : CommandOutcome.Postponed;
    }

    private ValueTask<CommandOutcome> OnBlocks(IoOpcode opcode, CommandSlot slot, Namespace space, GuestPass pass) => opcode switch
    {
        IoOpcode.Read => Read(slot, space, pass),
        IoOpcode.Write => Write(slot, space, pass),
        IoOpcode.Compare => Compare(slot, space, pass),
        IoOpcode.WriteZeroes => WriteZeroes(slot, space, pass),
        IoOpcode.WriteUncorrectable => Ended(WriteUncorrectable(slot.Command, space)),
        _ => Verify(slot, space, pass),
    };

    private Status StatusOf(in Command command, Exception exception)
    {
        bool writes = (IoOpcode)command.Opcode is not (IoOpcode.Read or IoOpcode.Compare or IoOpcode.Verify);
        Status status = DiskFailure.StatusOf(exception, writes);
        if (status == Status.InternalError)
            parts.LogUnexpected(exception);
        else if (DiskFailure.IsMediaError(status))
            parts.Statistics.CountMediaError();
        return status;
    }

    private static ValueTask<CommandOutcome> Ended(CommandOutcome outcome) => new(outcome);

    private static long OffsetOf(in Command command, Namespace space) => (long)command.StartingLba * space.BlockSize;

    private static long LengthOf(in Command command, Namespace space) => (long)command.BlockCount * space.BlockSize;

    // Maps the command's data. More than a transfer may have fits into no int, which Map refuses too.
    private static Status MapBlocks(CommandSlot slot, Namespace space) =>
        slot.Context.Map(slot.Command, (int)Math.Min(LengthOf(slot.Command, space), int.MaxValue));
}
