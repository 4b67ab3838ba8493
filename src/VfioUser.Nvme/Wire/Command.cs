using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A submission queue entry. NVMe 1.4 4.2; the meaning of dwords 10 to 15 depends on the opcode.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct Command(
    byte Opcode, byte Flags, ushort Id, uint Nsid, uint Dword2, uint Dword3, ulong Metadata, ulong Prp1, ulong Prp2,
    uint Dword10, uint Dword11, uint Dword12, uint Dword13, uint Dword14, uint Dword15)
{
    public const int WireSize = 64;

    /// <summary>Bits 1:0: part of a fused operation when not 0.</summary>
    public int Fuse => Flags & 0x3;

    /// <summary>Bits 7:6, PSDT: 0 for PRPs, 1 and 2 for an SGL.</summary>
    public int DataPointerKind => Flags >> 6;

    /// <summary>First logical block, of commands that have a range.</summary>
    public ulong StartingLba => Dword10 | (ulong)Dword11 << 32;

    /// <summary>Number of logical blocks, from 1 to 65,536.</summary>
    public int BlockCount => (int)(Dword12 & 0xFFFF) + 1;

    /// <summary>Force Unit Access.</summary>
    public bool IsForceUnitAccess => (Dword12 & 1u << 30) != 0;
}
