namespace VfioUser.Nvme;

/// <content>Compare and Write, fused: no other command to the namespace comes between. NVMe 1.4 4.12, 6.3.</content>
internal sealed partial class IoCommands
{
    /// <summary>FUSE of the first command of an operation, and of the second.</summary>
    public const int FusedFirst = 1;
    public const int FusedSecond = 2;

    /// <summary>Carries a fused operation out: two commands that came one after the other in one queue. Throws nothing. On a thread that may
    /// wait, which it does for all commands to the namespace that have begun; those that come meanwhile are postponed.</summary>
    /// <param name="first">Has the second.</param>
    /// <param name="space">The namespace, if it is still alone on it: <see cref="SharedNamespace.EndFused"/>. Null otherwise.</param>
    /// <returns>Outcomes of the first and the second.</returns>
    public (CommandOutcome First, CommandOutcome Second) ExecuteFused(CommandSlot first, out Namespace? space)
    {
        CommandSlot second = first.Second!;
        CommandOutcome outcome = Status.InternalError;
        CommandOutcome secondOutcome = Status.FailedFused;
        CommandSlot current = first;
        space = null;
        try
        {
            Status status = first.IsCancelled || second.IsCancelled ? Status.AbortRequested : Problem(first.Command, second.Command);
            if (status != Status.Success)
            {
                outcome = status;
            }
            else if (parts.Namespaces.Attached(first.Command.Nsid) is not { } found)
            {
                outcome = parts.Namespaces.Refusal(first.Command.Nsid);
            }
            else if (found.PathStatus != Status.Success)
            {
                outcome = found.PathStatus;
            }
            else
            {
                LeaveBoth(first, second);
                if (found.Shared.TryBeginFused(found))
                {
                    first.FusedSpace = second.FusedSpace = space = found;
                    outcome = found.IsReserved(writes: true) ? Status.ReservationConflict : Carry(first, found, Compare);
                    if (!outcome.IsCompleted || outcome.HasFailed)
                        secondOutcome = outcome.IsCompleted ? Status.FailedFused : CommandOutcome.NoCompletion;
                    else
                        secondOutcome = Carry(current = second, found, Write);
                }
                else
                {
                    outcome = parts.Namespaces.Refusal(found.Id);
                }
            }
        }
        catch (Exception e)
        {
            Status status = StatusOf(current.Command, e);
            (outcome, secondOutcome) = current == first ? (status, Status.FailedFused) : (outcome, status);
        }
        return (End(first, outcome), End(second, secondOutcome));
    }

    private static void LeaveBoth(CommandSlot first, CommandSlot second)
    {
        first.Pass.Leave();
        second.Pass.Leave();
    }

    private static CommandOutcome Carry(CommandSlot slot, Namespace space, Func<CommandSlot, Namespace, GuestPass, ValueTask<CommandOutcome>> command)
    {
        if (!slot.Pass.TryEnter())
            return CommandOutcome.NoCompletion;
        if (!space.Contains(slot.Command.StartingLba, (ulong)slot.Command.BlockCount))
            return Status.LbaOutOfRange;
        ValueTask<CommandOutcome> running = command(slot, space, slot.Pass);
        if (running.IsCompleted)
            return running.GetAwaiter().GetResult();
        space.Disk.Submit();
        slot.Pass.Leave(); // while it waits for its disk
        return running.AsTask().GetAwaiter().GetResult();
    }

    // a first one without its second, or the other way round
    private static Status Unfused(in Command command) => command.Fuse is FusedFirst or FusedSecond ? Status.MissingFused : Status.InvalidField;

    private static Status Problem(in Command first, in Command second) =>
        (IoOpcode)first.Opcode != IoOpcode.Compare || (IoOpcode)second.Opcode != IoOpcode.Write || first.Nsid != second.Nsid
        || first.StartingLba != second.StartingLba || first.BlockCount != second.BlockCount ? Status.InvalidField : Status.Success;
}
