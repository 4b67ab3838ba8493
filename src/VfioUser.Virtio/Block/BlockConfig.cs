using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>The configuration structure of a block device. Sectors have 512 bytes.</summary>
/// <remarks>VIRTIO 1.3 5.2.4.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct BlockConfig
{
    public const int Size = 72;

    /// <summary>Where the driver writes <see cref="Writeback"/>.</summary>
    public const int WritebackOffset = 32;

    /// <summary>In sectors.</summary>
    public ulong Capacity;

    public uint SizeMax;
    public uint SegMax;

    // the geometry is not offered
    public ushort Cylinders;
    public byte Heads;
    public byte SectorsPerTrack;

    /// <summary>In bytes.</summary>
    public uint BlockSize;

    /// <summary>Logical blocks in a physical one: two to the power of it.</summary>
    public byte PhysicalBlockExponent;

    public byte AlignmentOffset;

    /// <summary>In logical blocks.</summary>
    public ushort MinIoSize;

    /// <summary>In logical blocks.</summary>
    public uint OptimalIoSize;

    /// <summary>Whether writes are durable after a flush only.</summary>
    public byte Writeback;

    public byte Reserved0;
    public ushort Queues;
    public uint MaxDiscardSectors;
    public uint MaxDiscardRanges;
    public uint DiscardAlignment;
    public uint MaxWriteZeroesSectors;
    public uint MaxWriteZeroesRanges;
    public byte WriteZeroesMayUnmap;
    public byte Reserved1;
    public ushort Reserved2;
    public uint MaxSecureEraseSectors;
    public uint MaxSecureEraseRanges;
    public uint SecureEraseAlignment;
}
