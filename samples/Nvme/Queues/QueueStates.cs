using System.Runtime.InteropServices;

namespace Nvme.Queues;

/// <summary>What a submission queue is, and where it stands. Goes into the migration stream as it is.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct SubmissionQueueState(ulong Address, ushort Id, ushort CompletionQueueId, uint Size, uint Head, uint Tail);

/// <summary>What a completion queue is, and where it stands. Goes into the migration stream as it is.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct CompletionQueueState(
    ulong Address, ushort Id, ushort Vector, uint Size, uint Head, uint Tail, byte Phase, byte InterruptsEnabled, ushort Reserved);
