using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <content>Past the page cache, the kernel carries out many accesses at a time, without a thread for each.</content>
public sealed partial class FileDisk
{
    // a write that is to be flushed before its answer needs a thread all the same
    internal override bool IsAsynchronous(bool writes) => _direct is not null && (!writes || HasVolatileCache);

    internal override ValueTask ReadInlineAsync(long offset, Memory<byte> destination, CancellationToken cancellation) =>
        IsAsynchronous(writes: false) && AlignedMemory.IsAligned(destination.Span, _alignment) ? _direct!.Ask(LinuxAio.Read, offset, destination)
            : ReadAsync(offset, destination, cancellation);

    internal override ValueTask WriteInlineAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation) =>
        IsAsynchronous(writes: true) && AlignedMemory.IsAligned(source.Span, _alignment) ? _direct!.Ask(LinuxAio.Write, offset, source)
            : WriteAsync(offset, source, cancellation);

    internal override void Submit() => _direct?.Submit();

    // What is wrong with an access by its result: bytes, or below 0 an errno. The kernel may leave some to be done.
    private Exception? Finish(DirectAccess access, long result)
    {
        if (result == access.Memory.Length)
            return null;
        if (result < 0)
            return FileSystemCalls.Failure(_path, (int)-result);
        try
        {
            Span<byte> rest = MemoryMarshal.AsMemory(access.Memory).Span[(int)result..];
            if (access.IsWrite)
                WriteAll(rest, access.Offset + result);
            else
                ReadAll(rest, access.Offset + result);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}
