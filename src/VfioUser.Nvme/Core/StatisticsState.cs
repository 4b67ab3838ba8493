using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Counters, in the layout of the migration stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct StatisticsState(long Reads, long Writes, long BytesRead, long BytesWritten, long MediaErrors);
