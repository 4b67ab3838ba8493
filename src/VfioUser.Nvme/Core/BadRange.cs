using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Bytes of a disk that cannot be read, in the layout of the migration stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct BadRange(long Offset, long Length)
{
    /// <summary>Behind the last one.</summary>
    public long End => Offset + Length;
}
