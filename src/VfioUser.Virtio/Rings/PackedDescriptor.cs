using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A descriptor of a packed ring.</summary>
/// <remarks>VIRTIO 1.3 2.8.13 "The Virtqueue Descriptor Ring".</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly struct PackedDescriptor
{
    public const int LengthOffset = 8;
    public const int IdOffset = 12;
    public const int FlagsOffset = 14;

    public readonly ulong Address;
    public readonly uint BufferLength;
    public readonly ushort Id;
    public readonly DescriptorFlags Flags;
}
