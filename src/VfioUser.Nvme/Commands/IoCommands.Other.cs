using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <content>Commands without data, or with data that is about blocks. NVMe 1.4 6.7, 6.8, 6.14, 6.16, 6.17.</content>
internal sealed partial class IoCommands
{
    private const int VerifyPiece = 64 << 10;
    private const uint DeallocateRanges = 1 << 2;
    private const uint DeallocateZeroes = 1 << 25;

    private async ValueTask<CommandOutcome> Flush(Namespace space, GuestPass pass)
    {
        pass.Leave();
        await parts.FlushAsync(space).ConfigureAwait(false);
        return Status.Success;
    }

    private async ValueTask<CommandOutcome> FlushAll(GuestPass pass)
    {
        pass.Leave();
        if (parts.Namespaces.AllAttached.Any(space => space.IsReserved(writes: true)))
            return Status.ReservationConflict;
        foreach (Namespace space in parts.Namespaces.AllAttached)
            await parts.FlushAsync(space).ConfigureAwait(false);
        return Status.Success;
    }

    private ValueTask<CommandOutcome> WriteZeroes(CommandSlot slot, Namespace space, GuestPass pass)
    {
        if (space.IsReadOnly)
            return Ended(Status.NamespaceWriteProtected);
        pass.Leave();
        return WriteZeroes(slot, space);
    }

    private async ValueTask<CommandOutcome> WriteZeroes(CommandSlot slot, Namespace space)
    {
        Command command = slot.Command;
        await space.Disk.WriteZeroesAsync(OffsetOf(command, space), LengthOf(command, space), (command.Dword12 & DeallocateZeroes) != 0, slot.Cancellation)
            .ConfigureAwait(false);
        if (space.HasVolatileCache && IsWrittenThrough(command))
            await parts.FlushAsync(space).ConfigureAwait(false);
        space.Uncorrectable.Clear(OffsetOf(command, space), LengthOf(command, space));
        return Status.Success;
    }

    // the disk is not asked: what it has there is only not to be seen
    private static Status WriteUncorrectable(in Command command, Namespace space)
    {
        if (space.IsReadOnly)
            return Status.NamespaceWriteProtected;
        return space.Uncorrectable.TryMark(OffsetOf(command, space), LengthOf(command, space)) ? Status.Success : Status.CapacityExceeded;
    }

    private async ValueTask<CommandOutcome> Verify(CommandSlot slot, Namespace space, GuestPass pass)
    {
        Memory<byte> buffer = slot.Context.Bounce(VerifyPiece);
        long offset = OffsetOf(slot.Command, space);
        long end = offset + LengthOf(slot.Command, space);
        if (space.Uncorrectable.Contains(offset, end - offset, out _))
            return Status.UnrecoveredReadError;
        pass.Leave();
        if (space.HasVolatileCache && slot.Command.IsForceUnitAccess)
            await parts.FlushAsync(space).ConfigureAwait(false);
        while (offset < end)
        {
            int length = (int)Math.Min(end - offset, buffer.Length);
            await space.Disk.ReadAsync(offset, buffer[..length], slot.Cancellation).ConfigureAwait(false);
            offset += length;
        }
        parts.Statistics.CountVerified(LengthOf(slot.Command, space));
        return Status.Success;
    }

    private ValueTask<CommandOutcome> DatasetManagement(CommandSlot slot, Namespace space, GuestPass pass)
    {
        int count = (int)(slot.Command.Dword10 & 0xFF) + 1;
        Status status = slot.Context.Map(slot.Command, count * DsmRange.WireSize);
        if (status != Status.Success)
            return Ended(status);
        Memory<byte> ranges = slot.Context.Bounce(count * DsmRange.WireSize);
        if (!slot.Context.Data.TryCopyTo(0, ranges.Span))
            return Ended(Status.DataTransferError);
        foreach (ref readonly DsmRange range in MemoryMarshal.Cast<byte, DsmRange>(ranges.Span))
        {
            if (!space.Contains(range.StartingLba, range.BlockCount))
                return Ended(Status.LbaOutOfRange);
        }
        // the other attributes are hints about use, of which nothing is made
        if ((slot.Command.Dword11 & DeallocateRanges) == 0)
            return Ended(Status.Success);
        if (space.IsReadOnly)
            return Ended(Status.NamespaceWriteProtected);
        pass.Leave();
        return Deallocate(slot, space, ranges);
    }

    private async ValueTask<CommandOutcome> Deallocate(CommandSlot slot, Namespace space, Memory<byte> ranges)
    {
        for (int at = 0; at < ranges.Length; at += DsmRange.WireSize)
        {
            DsmRange range = MemoryMarshal.Read<DsmRange>(ranges.Span[at..]);
            if (range.BlockCount == 0)
                continue;
            await space.Disk.DeallocateAsync((long)range.StartingLba * space.BlockSize, (long)range.BlockCount * space.BlockSize, slot.Cancellation)
                .ConfigureAwait(false);
            space.Uncorrectable.Clear((long)range.StartingLba * space.BlockSize, (long)range.BlockCount * space.BlockSize);
        }
        if (space.HasVolatileCache && parts.WritesThrough)
            await parts.FlushAsync(space).ConfigureAwait(false);
        return Status.Success;
    }
}
