using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>An entry of the error log. NVMe 1.4 5.14.1.1; dwords 8 on are zero.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct ErrorLogEntry(
    ulong ErrorCount, ushort SqId, ushort CommandId, ushort StatusField, ushort ParameterLocation, ulong Lba, uint Nsid, uint VendorInformation)
{
    public const int WireSize = 32;
    public const int EntrySize = 64;
}
