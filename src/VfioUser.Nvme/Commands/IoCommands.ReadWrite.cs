using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace VfioUser.Nvme;

/// <content>Read, Write, Compare: commands with data. NVMe 1.4 6.6, 6.9, 6.15.</content>
internal sealed partial class IoCommands
{
    private ValueTask<CommandOutcome> Read(CommandSlot slot, Namespace space, GuestPass pass)
    {
        Status status = MapBlocks(slot, space);
        if (status != Status.Success)
            return Ended(status);
        long offset = OffsetOf(slot.Command, space);
        if (space.Uncorrectable.Contains(offset, slot.Context.Data.Length, out _))
            return Ended(Status.UnrecoveredReadError);
        if (space.InPlace is { } inPlace)
            return Ended(inPlace.TryRead(offset, slot.Context.Data.Buffer) ? CountRead(slot) : Status.DataTransferError);
        Memory<byte> buffer = slot.Context.Bounce(slot.Context.Data.Length);
        if (space.MayBlock)
            pass.Leave();
        if (space.HasVolatileCache && slot.Command.IsForceUnitAccess)
            return ReadForced(slot, space, offset, buffer);
        long begun = Stopwatch.GetTimestamp();
        ValueTask reading = slot.IsInline ? space.Disk.ReadInlineAsync(offset, buffer, slot.Cancellation)
            : space.Disk.ReadAsync(offset, buffer, slot.Cancellation);
        if (!reading.IsCompleted)
            return ReadLater(reading, slot, buffer);
        reading.GetAwaiter().GetResult();
        space.LatencyTracker.Answered(begun, buffer.Length);
        return Ended(Return(slot, buffer, pass));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<CommandOutcome> ReadLater(ValueTask reading, CommandSlot slot, Memory<byte> buffer)
    {
        await reading.ConfigureAwait(false);
        if (MustLeaveThread)
            await Task.Yield();
        return Return(slot, buffer, slot.Pass);
    }

    // What is read with Force Unit Access is durable. NVMe 1.4 6.9
    private async ValueTask<CommandOutcome> ReadForced(CommandSlot slot, Namespace space, long offset, Memory<byte> buffer)
    {
        await parts.FlushAsync(space).ConfigureAwait(false);
        await space.Disk.ReadAsync(offset, buffer, slot.Cancellation).ConfigureAwait(false);
        if (MustLeaveThread)
            await Task.Yield();
        return Return(slot, buffer, slot.Pass);
    }

    // Gives the guest what was read.
    private CommandOutcome Return(CommandSlot slot, Memory<byte> buffer, GuestPass pass)
    {
        if (!pass.TryEnter())
            return CommandOutcome.NoCompletion;
        return slot.Context.Data.TryCopyFrom(0, buffer.Span) ? CountRead(slot) : Status.DataTransferError;
    }

    private Status CountRead(CommandSlot slot)
    {
        parts.Statistics.CountRead(slot.Context.Data.Length);
        return Status.Success;
    }

    private ValueTask<CommandOutcome> Write(CommandSlot slot, Namespace space, GuestPass pass)
    {
        if (space.IsReadOnly)
            return Ended(Status.NamespaceWriteProtected);
        Status status = MapBlocks(slot, space);
        if (status != Status.Success)
            return Ended(status);
        long offset = OffsetOf(slot.Command, space);
        bool durably = space.HasVolatileCache && IsWrittenThrough(slot.Command);
        if (space.InPlace is { } inPlace && !durably)
            return Ended(inPlace.TryWrite(offset, slot.Context.Data.Buffer) ? Written(slot, space) : Status.DataTransferError);
        Memory<byte> buffer = slot.Context.Bounce(slot.Context.Data.Length);
        if (!slot.Context.Data.TryCopyTo(0, buffer.Span))
            return Ended(Status.DataTransferError);
        if (space.MayBlock)
            pass.Leave();
        long begun = Stopwatch.GetTimestamp();
        ValueTask writing = durably ? WriteDurably(slot, space, offset, buffer)
            : slot.IsInline ? space.Disk.WriteInlineAsync(offset, buffer, slot.Cancellation)
            : space.Disk.WriteAsync(offset, buffer, slot.Cancellation);
        if (!writing.IsCompleted)
            return WriteLater(writing, slot, space);
        writing.GetAwaiter().GetResult();
        if (!durably)
            space.LatencyTracker.Answered(begun, buffer.Length);
        return Ended(Written(slot, space));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<CommandOutcome> WriteLater(ValueTask writing, CommandSlot slot, Namespace space)
    {
        await writing.ConfigureAwait(false);
        return Written(slot, space);
    }

    private async ValueTask WriteDurably(CommandSlot slot, Namespace space, long offset, Memory<byte> buffer)
    {
        try
        {
            await space.Disk.WriteDurablyAsync(offset, buffer, slot.Cancellation).ConfigureAwait(false);
        }
        catch (FlushFailedException e)
        {
            parts.LoseWrites(space, e);
            throw;
        }
    }

    private Status Written(CommandSlot slot, Namespace space)
    {
        space.Uncorrectable.Clear(OffsetOf(slot.Command, space), slot.Context.Data.Length);
        parts.Statistics.CountWrite(slot.Context.Data.Length);
        return Status.Success;
    }

    private ValueTask<CommandOutcome> Compare(CommandSlot slot, Namespace space, GuestPass pass)
    {
        Status status = MapBlocks(slot, space);
        if (status != Status.Success)
            return Ended(status);
        int length = slot.Context.Data.Length;
        if (space.Uncorrectable.Contains(OffsetOf(slot.Command, space), length, out _))
            return Ended(Status.UnrecoveredReadError);
        // the guest's half and the disk's
        Memory<byte> buffer = slot.Context.Bounce(2 * length);
        if (!slot.Context.Data.TryCopyTo(0, buffer.Span[..length]))
            return Ended(Status.DataTransferError);
        if (space.MayBlock)
            pass.Leave();
        return Compare(slot, space, buffer[..length], buffer[length..]);
    }

    private async ValueTask<CommandOutcome> Compare(CommandSlot slot, Namespace space, Memory<byte> expected, Memory<byte> found)
    {
        if (space.HasVolatileCache && slot.Command.IsForceUnitAccess)
            await parts.FlushAsync(space).ConfigureAwait(false);
        await space.Disk.ReadAsync(OffsetOf(slot.Command, space), found, slot.Cancellation).ConfigureAwait(false);
        return expected.Span.SequenceEqual(found.Span) ? CountRead(slot) : Status.CompareFailure;
    }

    private bool IsWrittenThrough(in Command command) => command.IsForceUnitAccess || parts.WritesThrough;
}
