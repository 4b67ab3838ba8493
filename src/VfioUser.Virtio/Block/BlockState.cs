using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What a migration carries of a block device beside its registers and queues.</summary>
/// <param name="Sectors">The disk's size.</param>
/// <param name="Identity">A hash of which bytes they are.</param>
/// <param name="BlockSize">In bytes.</param>
/// <param name="Writeback">As the driver has set it.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct BlockState(long Sectors, UInt128 Identity, int BlockSize, int Writeback);
