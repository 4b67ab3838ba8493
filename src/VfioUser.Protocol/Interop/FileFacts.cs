using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Attributes of a file that a client or a device passed.</summary>
/// <param name="Id">Device and inode.</param>
/// <param name="IsRegular">It has a length, and a read does not wait for data as that of a pipe does.</param>
/// <param name="IsAnonymous">Its mode has no file type: an eventfd, or another anonymous inode of the kernel.</param>
/// <param name="Length">In bytes; without meaning unless it is regular.</param>
/// <param name="PageSize">Bytes of a page of its mappings: a huge page's, or the system's.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FileFacts(FileId Id, bool IsRegular, bool IsAnonymous, ulong Length, int PageSize)
{
    /// <summary>It consists of huge pages, which can be mapped but not written with a system call.</summary>
    public bool IsHuge => PageSize != Environment.SystemPageSize;
}
