using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A source range of Copy, format 0. NVM command set specification 1.0 figure 31.</summary>
/// <param name="Reserved">Reserved.</param>
/// <param name="StartingLba">Its first block.</param>
/// <param name="Blocks">How many blocks there are beside the first one.</param>
/// <param name="Reserved1">Reserved.</param>
/// <param name="Reserved2">Reserved.</param>
/// <param name="Protection">Without meaning here: there is no protection information.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct CopyRange(ulong Reserved, ulong StartingLba, ushort Blocks, ushort Reserved1, uint Reserved2, ulong Protection)
{
    public const int WireSize = 32;

    /// <summary>Number of blocks, from 1 to 65,536.</summary>
    public int BlockCount => Blocks + 1;
}
