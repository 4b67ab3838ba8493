using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <content>Copy within a namespace. NVM command set specification 1.0 3.2.2.</content>
internal sealed partial class IoCommands
{
    /// <summary>Most source ranges of a Copy.</summary>
    public const int MaxCopyRanges = 128;

    /// <summary>The longest Copy, in bytes. It is read before it is written: ranges may overlap.</summary>
    public const int MaxCopy = CommandContext.MaxTransfer;

    private const int RangesLength = MaxCopyRanges * CopyRange.WireSize;

    private ValueTask<CommandOutcome> Copy(CommandSlot slot, Namespace space, GuestPass pass)
    {
        Command command = slot.Command;
        int count = (int)(command.Dword12 & 0xFF) + 1;
        uint format = command.Dword12 >> 8 & 0xF;
        if (format != 0)
            return Ended(Status.InvalidField);
        if (space.IsReadOnly)
            return Ended(Status.NamespaceWriteProtected);
        if (count > MaxCopyRanges)
            return Ended(Status.CommandSizeLimitExceeded);
        Status status = slot.Context.Map(command, count * CopyRange.WireSize);
        if (status != Status.Success)
            return Ended(status);
        Memory<byte> buffer = slot.Context.Bounce(RangesLength + MaxCopy);
        Memory<byte> ranges = buffer[..(count * CopyRange.WireSize)];
        if (!slot.Context.Data.TryCopyTo(0, ranges.Span))
            return Ended(Status.DataTransferError);
        long blocks = 0;
        foreach (ref readonly CopyRange range in MemoryMarshal.Cast<byte, CopyRange>(ranges.Span))
        {
            if (!space.Contains(range.StartingLba, (ulong)range.BlockCount))
                return Ended(Status.LbaOutOfRange);
            if (space.Uncorrectable.Contains((long)range.StartingLba * space.BlockSize, (long)range.BlockCount * space.BlockSize, out _))
                return Ended(Status.UnrecoveredReadError);
            blocks += range.BlockCount;
        }
        if (blocks * space.BlockSize > MaxCopy)
            return Ended(Status.CommandSizeLimitExceeded);
        if (!space.Contains(command.StartingLba, (ulong)blocks))
            return Ended(Status.LbaOutOfRange);
        // how much it is was not known when it was admitted: later ones wait for it
        space.Limiter?.Take(blocks * space.BlockSize);
        pass.Leave();
        return Copy(slot, space, ranges, buffer.Slice(RangesLength, (int)blocks * space.BlockSize));
    }

    private async ValueTask<CommandOutcome> Copy(CommandSlot slot, Namespace space, Memory<byte> ranges, Memory<byte> data)
    {
        int done = 0;
        for (int at = 0; at < ranges.Length; at += CopyRange.WireSize)
        {
            CopyRange range = MemoryMarshal.Read<CopyRange>(ranges.Span[at..]);
            int length = range.BlockCount * space.BlockSize;
            await space.Disk.ReadAsync((long)range.StartingLba * space.BlockSize, data.Slice(done, length), slot.Cancellation).ConfigureAwait(false);
            done += length;
        }
        long offset = OffsetOf(slot.Command, space);
        if (space.HasVolatileCache && IsWrittenThrough(slot.Command))
            await WriteDurably(slot, space, offset, data).ConfigureAwait(false);
        else
            await space.Disk.WriteAsync(offset, data, slot.Cancellation).ConfigureAwait(false);
        space.Uncorrectable.Clear(offset, data.Length);
        return Status.Success;
    }
}
