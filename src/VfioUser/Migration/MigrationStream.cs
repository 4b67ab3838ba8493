using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>
/// The migration stream: a header, records, and an end record with a checksum. Numbers are little-endian and frozen,
/// since another version of this library may read them.
/// </summary>
/// <remarks>
/// <code>
/// header   magic "VFUM" | version u16 | revision u16 | vendor, device, subsystem vendor, subsystem u16
/// record   kind u32 | length u32 | bytes
/// end      kind 0 | length 4 | CRC-32C of everything before this record
/// </code>
/// The device state comes first, in any number of records; then configuration space, registers and interrupts, one record each;
/// then shared memory, in any number of records. If the device was reset in pre-copy, an empty StartOver record voids the device
/// state before it.
/// </remarks>
internal static class MigrationStream
{
    public const uint Magic = 0x4D55_4656;
    public const ushort Version = 1;
    public const int RecordHeaderSize = 8;
    public const int EndSize = 4;

    /// <summary>Bytes before the data of a memory record: region u32, zero u32, offset u64.</summary>
    public const int MemoryHeaderSize = 16;

    /// <summary>Bytes before each part's state in the Parts record: region u32, length u32, offset u64.</summary>
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

/// <summary>The kind of a record.</summary>
internal enum MigrationRecord : uint
{
    /// <summary>The end of the stream, with the checksum.</summary>
    End = 0,

    /// <summary>A piece of the device state, from <see cref="IMigrationState"/>.</summary>
    DeviceState = 1,

    /// <summary>The configuration space.</summary>
    Config = 2,

    /// <summary>Registers and MSI-X tables, each with its region and offset.</summary>
    Parts = 3,

    /// <summary>A byte for each interrupt vector.</summary>
    Irqs = 4,

    /// <summary>A piece of a region's shared memory.</summary>
    Memory = 5,

    /// <summary>Voids the device state so far: it follows again from the beginning.</summary>
    StartOver = 6,

    /// <summary>What is left of each timer; missing where the device has none.</summary>
    Timers = 7,
}
