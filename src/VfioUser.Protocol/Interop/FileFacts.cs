using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>What matters of a file that somebody passed.</summary>
/// <param name="Id">Which file it is.</param>
/// <param name="IsRegular">It has a length, and system calls on it come back.</param>
/// <param name="IsAnonymous">It is of no type at all, as an eventfd is, and much else of the kernel's.</param>
/// <param name="Length">In bytes; nothing for what is not regular.</param>
/// <param name="PageSize">What a mapping of it consists of: its huge pages, or the system's.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FileFacts(FileId Id, bool IsRegular, bool IsAnonymous, ulong Length, int PageSize)
{
    /// <summary>It is made of huge pages, which can be mapped but not written with a system call.</summary>
    public bool IsHuge => PageSize != Environment.SystemPageSize;
}
