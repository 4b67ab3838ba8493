using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>An SGL descriptor. NVMe 1.4 4.4.</summary>
/// <param name="Address">Address of the data, or of the next segment.</param>
/// <param name="Length">In bytes.</param>
/// <param name="Reserved0">Reserved.</param>
/// <param name="Reserved1">Reserved.</param>
/// <param name="Identifier">Type in bits 7:4, sub type in bits 3:0.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct SglDescriptor(ulong Address, uint Length, ushort Reserved0, byte Reserved1, byte Identifier)
{
    public const int WireSize = 16;

    public SglType Type => (SglType)(Identifier >> 4);

    public int SubType => Identifier & 0xF;

    /// <summary>The descriptor in a command, which has the place of the two PRPs.</summary>
    public static SglDescriptor Of(in Command command) =>
        new(command.Prp1, (uint)command.Prp2, (ushort)(command.Prp2 >> 32), (byte)(command.Prp2 >> 48), (byte)(command.Prp2 >> 56));
}

/// <summary>Types of descriptors.</summary>
internal enum SglType
{
    DataBlock = 0,
    Segment = 2,
    LastSegment = 3,
}
