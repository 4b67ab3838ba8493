using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A client's file that DMA regions access with system calls.</summary>
/// <param name="owner">Owns the files of the session.</param>
/// <param name="file">Its descriptor.</param>
/// <param name="key">The file and its open flags; null for a descriptor that is not shared.</param>
internal sealed class GuestFile(GuestFiles owner, SafeFileHandle file, (FileId Id, int OpenFlags)? key)
{
    public SafeFileHandle File => file;

    public (FileId Id, int OpenFlags)? Key => key;

    /// <summary>Number of regions that use it; guarded by the owner's lock.</summary>
    public int Regions { get; set; } = 1;

    /// <summary>A region stops using it. Any thread.</summary>
    public void Release() => owner.Release(this);
}
