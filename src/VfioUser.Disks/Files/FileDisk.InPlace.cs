namespace VfioUser.Disks;

/// <content>System calls read into the guest's memory, and write from it.</content>
public sealed partial class FileDisk
{
    /// <inheritdoc/>
    public bool TryRead(long offset, GuestBuffer destination)
    {
        if (destination.IsAligned(_alignment))
            return destination.TryAccess(writable: true, (Disk: this, Offset: offset), static (at, memory, to) => to.Disk.ReadAll(memory, to.Offset + at));
        Span<byte> copy = AlignedMemory.Allocate(destination.Length).Span;
        ReadAll(copy, offset);
        return destination.TryCopyFrom(0, copy);
    }

    /// <inheritdoc/>
    public bool TryWrite(long offset, GuestBuffer source)
    {
        if (source.IsAligned(_alignment))
        {
            if (!source.TryAccess(writable: false, (Disk: this, Offset: offset), static (at, memory, to) => to.Disk.WriteAll(memory, to.Offset + at)))
                return false;
        }
        else
        {
            Span<byte> copy = AlignedMemory.Allocate(source.Length).Span;
            if (!source.TryCopyTo(0, copy))
                return false;
            WriteAll(copy, offset);
        }
        Wait.For(FlushIfDue());
        return true;
    }
}
