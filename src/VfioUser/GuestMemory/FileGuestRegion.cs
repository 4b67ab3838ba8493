using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Guest memory in a file that is accessed with system calls: if it shrinks, an access fails and raises no SIGBUS.</summary>
internal sealed class FileGuestRegion : GuestRegion
{
    private readonly SafeFileHandle _file;

    public FileGuestRegion(DmaRegion description, GuestFile file, ulong fileOffset)
        : base(description)
    {
        _file = file.File;
        File = file;
        FileOffset = fileOffset;
    }

    protected override DmaResult Get(ulong offset, Span<byte> destination) =>
        ResultOf(offset, FileCalls.ReadAt(_file, destination, FileOffset + offset));

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
    {
        Errno errno = FileCalls.WriteAt(_file, source, FileOffset + offset);
        Written(offset, source.Length); // also after a failure, which may have written the first part
        return ResultOf(offset, errno);
    }

    protected override void Release()
    {
        // holds nothing but its file
    }

    private DmaResult ResultOf(ulong offset, Errno errno) =>
        errno == Errno.None ? DmaResult.Done : new DmaResult(DmaStatus.FileFailed, new Iova(Start + offset), errno);
}
