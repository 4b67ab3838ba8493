using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A completion queue entry. NVMe 1.4 4.6.</summary>
/// <param name="Result">Dword 0, specific to the command.</param>
/// <param name="Dword1">Reserved.</param>
/// <param name="SqHead">Head of the submission queue.</param>
/// <param name="SqId">ID of the submission queue.</param>
/// <param name="CommandId">ID of the completed command.</param>
/// <param name="StatusAndPhase">Bit 0 the phase tag, bits 15:1 the status field.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct Completion(
    uint Result, uint Dword1, ushort SqHead, ushort SqId, ushort CommandId, ushort StatusAndPhase)
{
    public const int WireSize = 16;

    public bool Phase => (StatusAndPhase & 1) != 0;

    public ushort StatusField => (ushort)(StatusAndPhase >> 1);

    public Status Status => (Status)(StatusField & 0x7FF);

    public bool DoNotRetry => (StatusField & StatusFields.DoNotRetry) != 0;
}
