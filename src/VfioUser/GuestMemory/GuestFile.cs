using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A file of the client's that regions of guest memory are read and written through with system calls.</summary>
/// <param name="owner">Knows which there are.</param>
/// <param name="file">Its descriptor.</param>
/// <param name="key">The file, and how it was opened; null for a descriptor of one region's own.</param>
internal sealed class GuestFile(GuestFiles owner, SafeFileHandle file, (FileId Id, int OpenFlags)? key)
{
    public SafeFileHandle File => file;

    public (FileId Id, int OpenFlags)? Key => key;

    /// <summary>How many regions hold it; belongs to the owner's lock.</summary>
    public int Regions { get; set; } = 1;

    /// <summary>A region has let go of it. Any thread.</summary>
    public void Release() => owner.Release(this);
}
