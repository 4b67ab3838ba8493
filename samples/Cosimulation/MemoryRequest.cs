namespace Cosimulation;

/// <summary>What a model asks of guest memory: one beat of eight bytes.</summary>
/// <param name="IsWrite">Whether it writes.</param>
/// <param name="Address">A multiple of 8.</param>
/// <param name="Data">To write; byte lane 0, the lowest address, has the lowest bits.</param>
/// <param name="Strobes">Which lanes are written, a bit each.</param>
internal readonly record struct MemoryRequest(bool IsWrite, ulong Address, ulong Data, byte Strobes);
