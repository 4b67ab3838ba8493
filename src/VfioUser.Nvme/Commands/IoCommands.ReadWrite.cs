using System.Diagnostics;

namespace VfioUser.Nvme;

/// <content>Read, Write, Compare: commands with data. NVMe 1.4 6.6, 6.9, 6.15.</content>
internal sealed partial class IoCommands
{
    private CommandOutcome Read(in Command command, Namespace space, CommandContext context)
    {
        Status status = MapBlocks(command, space, context);
        if (status != Status.Success)
            return status;
        long offset = OffsetOf(command, space);
        int length = context.Data.Length;
        if (space.Disk.Blocks)
        {
            Span<byte> bounce = context.Bounce(length);
            context.Pass.Leave();
            CommitIfForced(command, space);
            long begun = Stopwatch.GetTimestamp();
            space.Disk.Read(offset, bounce);
            space.LatencyTracker.Answered(begun, length);
            if (!context.Pass.TryEnter())
                return CommandOutcome.NoCompletion;
            if (!context.Data.TryWrite(0, bounce))
                return Status.DataTransferError;
        }
        else
        {
            for (int done = 0; done < length;)
            {
                using Lock.Scope whole = space.Disk.WindowLock(offset + done).EnterScope();
                Span<byte> window = space.Disk.Window(offset + done, length - done, writable: false);
                if (!context.Data.TryWrite(done, window))
                    return Status.DataTransferError;
                done += window.Length;
            }
        }
        parts.Statistics.CountRead(length);
        return Status.Success;
    }

    private CommandOutcome Write(in Command command, Namespace space, CommandContext context)
    {
        if (space.Disk.IsReadOnly)
            return Status.NamespaceWriteProtected;
        Status status = MapBlocks(command, space, context);
        if (status != Status.Success)
            return status;
        long offset = OffsetOf(command, space);
        int length = context.Data.Length;
        if (space.Disk.Blocks)
        {
            Span<byte> bounce = context.Bounce(length);
            if (!context.Data.TryRead(0, bounce))
                return Status.DataTransferError;
            context.Pass.Leave();
            long begun = Stopwatch.GetTimestamp();
            space.Disk.Write(offset, bounce);
            space.LatencyTracker.Answered(begun, length);
            FlushIfDue(command, space);
            if (!context.Pass.TryEnter())
                return CommandOutcome.NoCompletion;
        }
        else
        {
            for (int done = 0; done < length;)
            {
                using Lock.Scope whole = space.Disk.WindowLock(offset + done).EnterScope();
                Span<byte> window = space.Disk.Window(offset + done, length - done, writable: true);
                if (!context.Data.TryRead(done, window))
                    return Status.DataTransferError;
                done += window.Length;
            }
        }
        parts.Statistics.CountWrite(length);
        return Status.Success;
    }

    private CommandOutcome Compare(in Command command, Namespace space, CommandContext context)
    {
        Status status = MapBlocks(command, space, context);
        if (status != Status.Success)
            return status;
        int length = context.Data.Length;
        // the guest's half and the disk's
        Span<byte> bounce = context.Bounce(2 * length);
        if (!context.Data.TryRead(0, bounce[..length]))
            return Status.DataTransferError;
        context.Pass.Leave();
        CommitIfForced(command, space);
        space.Disk.Read(OffsetOf(command, space), bounce[length..]);
        if (!context.Pass.TryEnter())
            return CommandOutcome.NoCompletion;
        if (!bounce[..length].SequenceEqual(bounce[length..]))
            return Status.CompareFailure;
        parts.Statistics.CountRead(length);
        return Status.Success;
    }

    private bool IsWrittenThrough(in Command command) => command.IsForceUnitAccess || !parts.Features.WriteCacheEnabled;

    // What is read with Force Unit Access is durable. Outside of the guard. NVMe 1.4 6.9
    private void CommitIfForced(in Command command, Namespace space)
    {
        if (space.Disk.HasVolatileCache && command.IsForceUnitAccess)
            parts.Flush(space);
    }

    // Outside of the guard.
    private void FlushIfDue(in Command command, Namespace space)
    {
        if (space.Disk.HasVolatileCache && IsWrittenThrough(command))
            parts.Flush(space);
    }
}
