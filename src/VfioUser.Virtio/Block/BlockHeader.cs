using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What a request begins with.</summary>
/// <remarks>VIRTIO 1.3 5.2.6.</remarks>
/// <param name="Type">What is asked for.</param>
/// <param name="Reserved">An I/O priority of some drivers.</param>
/// <param name="Sector">Of 512 bytes, where data is read or written.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct BlockHeader(BlockRequestType Type, uint Reserved, ulong Sector)
{
    public const int Size = 16;
}
