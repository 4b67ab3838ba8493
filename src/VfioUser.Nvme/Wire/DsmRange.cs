using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A range of Dataset Management. NVMe 1.4 6.7.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct DsmRange(uint ContextAttributes, uint BlockCount, ulong StartingLba)
{
    public const int WireSize = 16;
}
