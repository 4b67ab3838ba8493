using System.Globalization;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Tracing;

/// <summary>Kind and size of a descriptor in a trace.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Size">In bytes, of files and memory.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FdFacts(FdKind Kind, ulong Size)
{
    public static FdFacts Of(SafeHandle fd)
    {
        bool held = false;
        fd.DangerousAddRef(ref held);
        try
        {
            string target = new FileInfo($"/proc/self/fd/{fd.DangerousGetHandle()}").LinkTarget ?? "";
            ulong size = FileCalls.TryDescribe(fd, out FileFacts facts) && facts.IsRegular ? facts.Length : 0;
            FdKind kind = target switch
            {
                _ when target.StartsWith("/memfd:", StringComparison.Ordinal) => FdKind.Memory,
                _ when target.StartsWith("socket:", StringComparison.Ordinal) => FdKind.Socket,
                "anon_inode:[eventfd]" => FdKind.EventFd,
                _ => facts.IsRegular ? FdKind.File : FdKind.Other,
            };
            return new FdFacts(kind, size);
        }
        finally
        {
            fd.DangerousRelease();
        }
    }

    public override string ToString() => Kind switch
    {
        FdKind.Memory => string.Create(CultureInfo.InvariantCulture, $"memory of {Size} bytes"),
        FdKind.File => string.Create(CultureInfo.InvariantCulture, $"file of {Size} bytes"),
        FdKind.EventFd => "eventfd",
        FdKind.Socket => "socket",
        _ => "other",
    };
}
