namespace VfioUser.Nvme;

/// <summary>Carries out commands of I/O queues. NVMe 1.4 6.</summary>
/// <remarks>Any thread, several at once. Allocates nothing.</remarks>
internal sealed partial class IoCommands(ControllerParts parts)
{
    private const uint AllNamespaces = 0xFFFF_FFFF;

    /// <summary>Whether a command may have to wait for a disk, or is about so many blocks that it takes its time.</summary>
    public bool Blocks(in Command command) => command.Nsid == AllNamespaces
        || (IoOpcode)command.Opcode is IoOpcode.WriteZeroes or IoOpcode.DatasetManagement or IoOpcode.Verify
        || parts.Namespace(command.Nsid) is { Disk.Blocks: true };

    /// <summary>Whether a command that may have to wait for a disk has probably not to.</summary>
    public bool IsFast(in Command command) => parts.Namespace(command.Nsid) is { LatencyTracker.IsFast: true }
        && !command.IsForceUnitAccess
        && ((IoOpcode)command.Opcode is IoOpcode.Read || ((IoOpcode)command.Opcode is IoOpcode.Write && parts.Features.WriteCacheEnabled));

    /// <summary>Carries a command out. Throws nothing: an exception of a disk is a status.</summary>
    /// <param name="command">A copy of ours.</param>
    /// <param name="sqId">Where it came from.</param>
    /// <param name="context">This thread's, inside the guard; outside if the disk took its time and the controller was reset.</param>
    public CommandOutcome Execute(in Command command, ushort sqId, CommandContext context)
    {
        CommandOutcome outcome;
        try
        {
            outcome = command.Fuse != 0 ? Status.InvalidField : Dispatch(command, context);
        }
        catch (Exception e)
        {
            // a file that fails is outside of the guard; so is who handles it, until it has looked whether it may go in
            outcome = context.Reenter(StatusOf(command, e));
        }
        if (outcome.HasFailed)
            parts.Errors.Add(sqId, command, outcome.Status, command.StartingLba);
        return outcome;
    }

    private CommandOutcome Dispatch(in Command command, CommandContext context)
    {
        IoOpcode opcode = (IoOpcode)command.Opcode;
        if (opcode is not (IoOpcode.Flush or IoOpcode.Write or IoOpcode.Read or IoOpcode.Compare or IoOpcode.WriteZeroes
            or IoOpcode.DatasetManagement or IoOpcode.Verify))
        {
            return Status.InvalidOpcode;
        }
        if (opcode == IoOpcode.Flush && command.Nsid == AllNamespaces)
            return FlushAll(context);
        if (parts.Namespace(command.Nsid) is not { } space)
            return Status.InvalidNamespace;
        if (!space.TryBegin())
            return Status.FormatInProgress;
        try
        {
            return opcode switch
            {
                IoOpcode.Flush => Flush(space, context),
                IoOpcode.DatasetManagement => DatasetManagement(command, space, context),
                _ => space.Contains(command.StartingLba, (ulong)command.BlockCount) ? OnBlocks(opcode, command, space, context) : Status.LbaOutOfRange,
            };
        }
        finally
        {
            space.End();
        }
    }

    private CommandOutcome OnBlocks(IoOpcode opcode, in Command command, Namespace space, CommandContext context) => opcode switch
    {
        IoOpcode.Read => Read(command, space, context),
        IoOpcode.Write => Write(command, space, context),
        IoOpcode.Compare => Compare(command, space, context),
        IoOpcode.WriteZeroes => WriteZeroes(command, space, context),
        _ => Verify(command, space, context),
    };

    private Status StatusOf(in Command command, Exception exception)
    {
        bool writes = (IoOpcode)command.Opcode is not (IoOpcode.Read or IoOpcode.Compare or IoOpcode.Verify);
        Status status = DiskFailure.StatusOf(exception, writes);
        if (status == Status.InternalError)
            parts.LogUnexpected(exception);
        else if (status != Status.CapacityExceeded)
            parts.Statistics.CountMediaError();
        return status;
    }

    private static long OffsetOf(in Command command, Namespace space) => (long)command.StartingLba * space.BlockSize;

    private static long LengthOf(in Command command, Namespace space) => (long)command.BlockCount * space.BlockSize;

    // Maps the command's data. More than a transfer may have fits into no int, which Map refuses too.
    private static Status MapBlocks(in Command command, Namespace space, CommandContext context) =>
        context.Map(command, (int)Math.Min(LengthOf(command, space), int.MaxValue));
}
