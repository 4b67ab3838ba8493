using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>State of a submission queue, in the layout of the migration stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct SubmissionQueueState(ulong Address, ushort Id, ushort CompletionQueueId, uint Size, uint Head, uint Tail);
