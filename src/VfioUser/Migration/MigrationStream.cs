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
/// header   magic "VFUM" | format u16 | revision u16 | vendor, device, subsystem vendor, subsystem u16
///          | version u16 | readable from u16 | zero u32
/// record   kind u32 | length u32 | bytes
/// part     length of name u16 | flags u16 | length of state u32 | name in UTF-8 | state
/// end      kind 0 | length 4 | CRC-32C of everything before this record
/// </code>
/// The device state comes first, in any number of records; then configuration space, registers and interrupts, one record each;
/// then shared memory, in any number of records. If the device was reset in pre-copy, an empty StartOver record voids the device
/// state before it.
/// </remarks>
internal static class MigrationStream
{
    public const uint Magic = 0x4D55_4656;
    public const ushort Format = 2;
    public const int RecordHeaderSize = 8;
    public const int EndSize = 4;

    /// <summary>Bytes before the data of a memory record: region u32, zero u32, offset u64.</summary>
    public const int MemoryHeaderSize = 16;

    /// <summary>Bytes in front of a part's name and state in the record of the parts.</summary>
    public const int PartHeaderSize = 8;

    /// <summary>Flag of a part: a device that does not have the part ignores it.</summary>
    public const ushort OptionalPart = 1;

    public static MigrationHeader HeaderOf(PciDevice device)
    {
        MigrationOptions options = device.MigrationOptions;
        return new(Magic, Format, device.Id.Revision, device.Id.Vendor, device.Id.Device, device.Id.SubsystemVendor, device.Id.Subsystem,
            (ushort)options.Version, (ushort)(options.ReadableFrom ?? options.Version), 0);
    }

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
    uint Magic, ushort Format, ushort Revision, ushort Vendor, ushort Device, ushort SubsystemVendor, ushort Subsystem,
    ushort Version, ushort ReadableFrom, uint Zero)
{
    public const int WireSize = 24;
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

    /// <summary>Registers and MSI-X tables, by name.</summary>
    Parts = 3,

    /// <summary>A byte for each interrupt vector.</summary>
    Irqs = 4,

    /// <summary>A piece of a region's shared memory.</summary>
    Memory = 5,

    /// <summary>Voids the device state so far: it follows again from the beginning.</summary>
    StartOver = 6,

    /// <summary>The remaining time of each timer; absent if the device has none.</summary>
    Timers = 7,
}
