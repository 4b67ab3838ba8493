using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A result in the Device Self-test log. NVMe 2.0 figure 213.</summary>
/// <param name="Status">How it ended in bits 3:0, which one it was in bits 7:4.</param>
/// <param name="Segment">Where it failed.</param>
/// <param name="Valid">Which of the fields below say something: bit 0 the namespace, 1 the block, 2 and 3 the status.</param>
/// <param name="Reserved">Reserved.</param>
/// <param name="PowerOnHours">When.</param>
/// <param name="Nsid">The namespace that failed.</param>
/// <param name="FailingLba">Its block.</param>
/// <param name="StatusCodeType">Of the command that failed, so to speak.</param>
/// <param name="StatusCode">The same.</param>
/// <param name="Vendor">Nothing.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct SelfTestEntry(
    byte Status, byte Segment, byte Valid, byte Reserved, ulong PowerOnHours, uint Nsid, ulong FailingLba, byte StatusCodeType, byte StatusCode, ushort Vendor)
{
    public const int WireSize = 28;
}
