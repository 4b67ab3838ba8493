using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Commands without descriptors that lie one after another, each complete and of a sound size.</summary>
/// <param name="Buffer">Where they lie.</param>
/// <param name="Offset">Of the first one's header.</param>
/// <param name="Length">Of all together, in bytes.</param>
/// <param name="Count">How many there are.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MessageRun(byte[] Buffer, int Offset, int Length, int Count);
