using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <summary>The capabilities that say where the structures are, and the one through which a firmware without memory space reaches them.</summary>
/// <remarks>VIRTIO 1.3 4.1.4 "Virtio Structure PCI Capabilities".</remarks>
internal static class VirtioCapabilities
{
    private const byte VendorSpecific = 0x09;
    private const byte Common = 1;
    private const byte Notify = 2;
    private const byte Isr = 3;
    private const byte DeviceConfig = 4;
    private const byte Access = 5;
    private const byte SharedMemory = 8;

    // from the capability's first byte
    private const int BarOffset = 4;
    private const int OffsetOffset = 8;
    private const int LengthOffset = 12;
    private const int DataOffset = 16;
    private const int DataLength = 4;

    public static void Add(ConfigSpace config, Bar bar)
    {
        Add(config, Common, BarLayout.Common, BarLayout.CommonLength);
        Add(config, Isr, BarLayout.Isr, BarLayout.IsrLength);
        Add(config, DeviceConfig, BarLayout.DeviceConfig, BarLayout.DeviceConfigLength);
        Add(config, Notify, BarLayout.Notify, BarLayout.NotifyLength, BarLayout.NotifyStride);
        AddAccess(config, bar);
    }

    /// <summary>Adds the capability of shared memory at the beginning of a BAR, which has 64 bits of offset and length.</summary>
    public static void AddSharedMemory(ConfigSpace config, int bar, byte id, long length)
    {
        Span<byte> body = stackalloc byte[22];
        body.Clear();
        Fill(body, SharedMemory, 0, (int)length);
        (body[2], body[3]) = ((byte)bar, id);
        BinaryPrimitives.WriteInt32LittleEndian(body[18..], (int)(length >> 32));
        config.AddCapability(VendorSpecific, body);
    }

    private static void Add(ConfigSpace config, byte type, int offset, int length, int? multiplier = null)
    {
        Span<byte> body = stackalloc byte[18];
        body.Clear();
        body = body[..(multiplier is null ? 14 : 18)];
        Fill(body, type, offset, length);
        if (multiplier is { } stride)
            BinaryPrimitives.WriteInt32LittleEndian(body[14..], stride);
        config.AddCapability(VendorSpecific, body);
    }

    // The body begins after ID and link: length, type, BAR, ID, padding, offset, length.
    private static void Fill(Span<byte> body, byte type, int offset, int length)
    {
        body[0] = (byte)(body.Length + 2);
        body[1] = type;
        body[2] = BarLayout.Bar;
        BinaryPrimitives.WriteInt32LittleEndian(body[6..], offset);
        BinaryPrimitives.WriteInt32LittleEndian(body[10..], length);
    }

    private static void AddAccess(ConfigSpace config, Bar bar)
    {
        Span<byte> body = stackalloc byte[18];
        body.Clear();
        Fill(body, Access, 0, 0);
        Span<byte> writable = stackalloc byte[18];
        writable.Clear();
        writable[2] = 0xFF;
        writable[6..].Fill(0xFF);
        int at = config.AddCapability(VendorSpecific, body, writable).Offset;

        config.AddReadHandler(at + DataOffset, DataLength, (offset, value) =>
        {
            value.Clear();
            if (offset == at + DataOffset && Place(config, at, bar, value.Length) is { } place)
                bar.Read(place, value);
        });
        config.AddWriteHandler(at + DataOffset, DataLength, (offset, written) =>
        {
            if (offset == at + DataOffset && Place(config, at, bar, written.Length) is { } place)
                bar.Write(place, written);
        });
    }

    // Where the window is, if it is in the BAR and the access has its length.
    private static long? Place(ConfigSpace config, int at, Bar bar, int length)
    {
        long offset = config.Read<uint>(at + OffsetOffset);
        uint window = config.Read<uint>(at + LengthOffset);
        bool fits = config.Read<byte>(at + BarOffset) == BarLayout.Bar && window == (uint)length && length is 1 or 2 or 4
            && offset % length == 0 && offset + length <= bar.Size;
        return fits ? offset : null;
    }
}
