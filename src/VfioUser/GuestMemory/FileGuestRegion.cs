using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Guest memory behind a file that is read and written with system calls: whatever happens to it is an error, not a signal.</summary>
internal sealed class FileGuestRegion(DmaRegion description, GuestFile file, ulong fileOffset) : GuestRegion(description)
{
    /// <summary>What it is read and written through.</summary>
    public GuestFile File => file;

    protected override DmaResult Get(ulong offset, Span<byte> destination) =>
        ResultOf(FileCalls.ReadAt(file.File, destination, fileOffset + offset));

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
    {
        Errno errno = FileCalls.WriteAt(file.File, source, fileOffset + offset);
        Written(offset, source.Length); // of a write that failed the first part may have been done
        return ResultOf(errno);
    }

    protected override void Release() => file.Release();

    private static DmaResult ResultOf(Errno errno) => errno == Errno.None ? DmaResult.Done : DmaResult.Failed;
}
