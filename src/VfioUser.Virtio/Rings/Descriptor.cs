using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A descriptor of a split ring or of an indirect table.</summary>
/// <remarks>VIRTIO 1.3 2.7.5 "The Virtqueue Descriptor Table".</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly struct Descriptor
{
    public const int Length = 16;

    public readonly ulong Address;
    public readonly uint BufferLength;
    public readonly DescriptorFlags Flags;
    public readonly ushort Next;
}
