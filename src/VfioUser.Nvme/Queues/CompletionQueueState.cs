using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>State of a completion queue, in the layout of the migration stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct CompletionQueueState(
    ulong Address, ushort Id, ushort Vector, uint Size, uint Head, uint Tail, byte Phase, byte InterruptsEnabled, ushort Reserved);
