using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Virtio;

/// <summary>What the driver is told of a disk, and has to keep to. Immutable.</summary>
internal sealed class BlockLimits
{
    /// <summary>Most ranges in a request.</summary>
    public const int MaxRanges = 64;

    /// <summary>Most sectors of a range that is zeroed: it may be written, and a reset waits for that.</summary>
    public const uint MaxZeroesSectors = (256 << 20) / BlockRequest.SectorSize;

    /// <summary>Most sectors of a range that is discarded or erased.</summary>
    public const uint MaxRangeSectors = (1 << 30) / BlockRequest.SectorSize;

    // what Linux makes of pages that lie side by side, at most
    private const int MaxSegmentLength = 64 << 10;

    private readonly DiskHints _hints;
    private readonly int _queues;

    public BlockLimits(Disk disk, VirtioBlockOptions options)
    {
        options.Check(disk);
        disk.Hints.Check();
        (_hints, _queues, BlockSize) = (disk.Hints, options.Queues, options.BlockSize);
        MaxSegments = options.QueueSize - 2; // the header and the status have one each
        IsReadOnly = options.IsReadOnly || disk.IsReadOnly;
        CanSecureErase = !IsReadOnly && disk.CanSecureErase;
        HasVolatileCache = disk.HasVolatileCache;
        string serial = options.SerialNumber ?? $"VU{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(disk.Identity)), 0, 8)}";
        SerialNumber = new byte[VirtioBlockOptions.MaxSerialNumberLength];
        Encoding.ASCII.GetBytes(serial, SerialNumber);
    }

    public int BlockSize { get; }

    public int SectorsPerBlock => BlockSize / BlockRequest.SectorSize;

    public bool IsReadOnly { get; }

    public bool CanChange => !IsReadOnly;

    public bool CanSecureErase { get; }

    public bool HasVolatileCache { get; }

    /// <summary>Padded with zeros.</summary>
    public byte[] SerialNumber { get; }

    /// <summary>Most bytes of data in a request.</summary>
    public long MaxTransfer => (long)MaxSegments * MaxSegmentLength;

    public BlockFeatures Features
    {
        get
        {
            BlockFeatures features = BlockFeatures.SizeMax | BlockFeatures.SegMax | BlockFeatures.BlockSize | BlockFeatures.Topology
                | BlockFeatures.Flush;
            if (_queues > 1)
                features |= BlockFeatures.MultiQueue;
            if (HasVolatileCache)
                features |= BlockFeatures.ConfigWriteCache;
            if (CanSecureErase)
                features |= BlockFeatures.SecureErase;
            return features | (IsReadOnly ? BlockFeatures.ReadOnly : BlockFeatures.Discard | BlockFeatures.WriteZeroes);
        }
    }

    private int MaxSegments { get; }

    /// <summary>How many sectors a disk of a size has for the driver: whole blocks.</summary>
    public long SectorsOf(long size) => Math.Max(size, 0) / BlockSize * SectorsPerBlock;

    public BlockConfig ConfigOf(long sectors)
    {
        int physical = Math.Clamp(Math.Max(_hints.BlockSize, _hints.AtomicWriteLength), BlockSize, 64 << 10);
        int preferred = _hints.PreferredWriteLength / BlockSize;
        uint alignment = (uint)(Math.Max(_hints.DeallocationLength, BlockSize) / BlockRequest.SectorSize);
        return new BlockConfig
        {
            Capacity = (ulong)sectors,
            SizeMax = MaxSegmentLength,
            SegMax = (uint)MaxSegments,
            BlockSize = (uint)BlockSize,
            PhysicalBlockExponent = (byte)int.Log2(physical / BlockSize),
            MinIoSize = (ushort)Math.Min(preferred, ushort.MaxValue),
            OptimalIoSize = (uint)preferred,
            Writeback = HasVolatileCache ? (byte)1 : (byte)0,
            Queues = (ushort)_queues,
            MaxDiscardSectors = CanChange ? MaxRangeSectors : 0,
            MaxDiscardRanges = CanChange ? MaxRanges : 0u,
            DiscardAlignment = alignment,
            MaxWriteZeroesSectors = CanChange ? MaxZeroesSectors : 0,
            MaxWriteZeroesRanges = CanChange ? MaxRanges : 0u,
            WriteZeroesMayUnmap = CanChange ? (byte)1 : (byte)0,
            MaxSecureEraseSectors = CanSecureErase ? MaxRangeSectors : 0,
            MaxSecureEraseRanges = CanSecureErase ? MaxRanges : 0u,
            SecureEraseAlignment = alignment,
        };
    }
}
