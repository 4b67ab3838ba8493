using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Guest memory in a file that is accessed with system calls: if it shrinks, an access fails and raises no SIGBUS.</summary>
internal sealed class FileGuestRegion(DmaRegion description, GuestFile file, ulong fileOffset) : GuestRegion(description)
{
    /// <summary>The file that is accessed.</summary>
    public GuestFile File => file;

    protected override DmaResult Get(ulong offset, Span<byte> destination) =>
        ResultOf(offset, FileCalls.ReadAt(file.File, destination, fileOffset + offset));

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
    {
        Errno errno = FileCalls.WriteAt(file.File, source, fileOffset + offset);
        Written(offset, source.Length); // also after a failure, which may have written the first part
        return ResultOf(offset, errno);
    }

    protected override void Release() => file.Release();

    private DmaResult ResultOf(ulong offset, Errno errno) =>
        errno == Errno.None ? DmaResult.Done : new DmaResult(DmaStatus.FileFailed, new Iova(Start + offset), errno);
}
