using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <content>Commands without data, or with data that is about blocks. NVMe 1.4 6.7, 6.8, 6.14, 6.17.</content>
internal sealed partial class IoCommands
{
    private const int VerifyPiece = 64 << 10;
    private const uint DeallocateRanges = 1 << 2;
    private const uint DeallocateZeroes = 1 << 25;

    private CommandOutcome Flush(Namespace space, CommandContext context)
    {
        context.Pass.Leave();
        parts.Flush(space);
        return context.Reenter(Status.Success);
    }

    private CommandOutcome FlushAll(CommandContext context)
    {
        context.Pass.Leave();
        for (int i = 0; i < parts.Namespaces.Count; i++)
            parts.Flush(parts.Namespaces[i]);
        return context.Reenter(Status.Success);
    }

    private CommandOutcome WriteZeroes(in Command command, Namespace space, CommandContext context)
    {
        if (space.Disk.IsReadOnly)
            return Status.NamespaceWriteProtected;
        context.Pass.Leave();
        space.Disk.WriteZeroes(OffsetOf(command, space), LengthOf(command, space), (command.Dword12 & DeallocateZeroes) != 0);
        FlushIfDue(command, space);
        return context.Reenter(Status.Success);
    }

    private CommandOutcome Verify(in Command command, Namespace space, CommandContext context)
    {
        Span<byte> bounce = context.Bounce(VerifyPiece);
        long offset = OffsetOf(command, space);
        long end = offset + LengthOf(command, space);
        context.Pass.Leave();
        CommitIfForced(command, space);
        while (offset < end)
        {
            int length = (int)Math.Min(end - offset, bounce.Length);
            space.Disk.Read(offset, bounce[..length]);
            offset += length;
        }
        parts.Statistics.CountVerified(LengthOf(command, space));
        return context.Reenter(Status.Success);
    }

    private CommandOutcome DatasetManagement(in Command command, Namespace space, CommandContext context)
    {
        int count = (int)(command.Dword10 & 0xFF) + 1;
        Status status = context.Map(command, count * DsmRange.WireSize);
        if (status != Status.Success)
            return status;
        Span<byte> bytes = context.Bounce(count * DsmRange.WireSize);
        if (!context.Data.TryRead(0, bytes))
            return Status.DataTransferError;
        ReadOnlySpan<DsmRange> ranges = MemoryMarshal.Cast<byte, DsmRange>(bytes);
        foreach (ref readonly DsmRange range in ranges)
        {
            if (!space.Contains(range.StartingLba, range.BlockCount))
                return Status.LbaOutOfRange;
        }
        // the other attributes are hints about use, of which nothing is made
        if ((command.Dword11 & DeallocateRanges) == 0)
            return Status.Success;
        if (space.Disk.IsReadOnly)
            return Status.NamespaceWriteProtected;
        context.Pass.Leave();
        foreach (ref readonly DsmRange range in ranges)
            space.Disk.Deallocate((long)range.StartingLba * space.BlockSize, (long)range.BlockCount * space.BlockSize);
        if (space.Disk.HasVolatileCache && !parts.Features.WriteCacheEnabled)
            parts.Flush(space);
        return context.Reenter(Status.Success);
    }
}
