using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>
/// How a device's state looks on its way: a head, records, and an end with a checksum. Numbers are little-endian and
/// frozen: another version of this library may read them.
/// </summary>
/// <remarks>
/// <code>
/// head     magic "VFUM" | version u16 | revision u16 | vendor, device, subsystem vendor, subsystem u16
/// record   kind u32 | length u32 | bytes
/// end      kind 0 | length 4 | CRC-32C of everything before this record
/// </code>
/// Records of the author come first, in pieces; then what the library knows, each once; memory in pieces. Where a device was
/// reset before it was stopped, a record without bytes says that the author's begin again.
/// </remarks>
internal static class MigrationStream
{
    public const uint Magic = 0x4D55_4656;
    public const ushort Version = 1;
    public const int RecordHeaderSize = 8;
    public const int EndSize = 4;

    /// <summary>Bytes in front of the data of a memory record: region u32, zero u32, offset u64.</summary>
    public const int MemoryHeaderSize = 16;

    /// <summary>Bytes in front of a part's state in the record of the parts: region u32, length u32, offset u64.</summary>
    public const int PartHeaderSize = 16;

    public static MigrationHeader HeaderOf(PciDevice device) => new(Magic, Version, device.Id.Revision,
        device.Id.Vendor, device.Id.Device, device.Id.SubsystemVendor, device.Id.Subsystem);

    public static uint Checksum(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }
        foreach (byte b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return crc;
    }
}

/// <summary>The first bytes of a stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct MigrationHeader(
    uint Magic, ushort Version, ushort Revision, ushort Vendor, ushort Device, ushort SubsystemVendor, ushort Subsystem)
{
    public const int WireSize = 16;
}

/// <summary>What a record holds.</summary>
internal enum MigrationRecord : uint
{
    /// <summary>The end, with the checksum.</summary>
    End = 0,

    /// <summary>Bytes of the author's.</summary>
    DeviceState = 1,

    /// <summary>The configuration space.</summary>
    Config = 2,

    /// <summary>Registers and MSI-X tables: each with its place.</summary>
    Parts = 3,

    /// <summary>A byte for each interrupt vector.</summary>
    Irqs = 4,

    /// <summary>A piece of a region's shared memory.</summary>
    Memory = 5,

    /// <summary>What came of the author's is void: it follows anew.</summary>
    StartOver = 6,

    /// <summary>What is left of each timer; missing where the device has none.</summary>
    Timers = 7,
}
