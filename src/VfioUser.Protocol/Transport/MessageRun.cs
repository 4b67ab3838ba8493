using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Consecutive commands without descriptors in a buffer, each complete and of a valid size.</summary>
/// <param name="Buffer">The buffer.</param>
/// <param name="Offset">Of the first header.</param>
/// <param name="Length">Of all commands together, in bytes.</param>
/// <param name="Count">Number of commands.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MessageRun(byte[] Buffer, int Offset, int Length, int Count);
