namespace VfioUser.Protocol.Tests.Wire;

/// <summary>Each structure spelled out byte by byte. Every field has bytes of its own, so that no two can be swapped unseen.</summary>
public class WireBytesTests
{
    [Fact]
    public void Message_header() => Pin(
        new MessageHeader(0x1234, Command.RegionWrite, 0x00100020, MessageFlags.Command | MessageFlags.NoReply, 0),
        "3412 0a00 20001000 10000000 00000000");

    [Fact]
    public void Message_header_of_an_error_reply() => Pin(
        new MessageHeader(0xFFFE, Command.DmaMap, 16, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EEXIST),
        "feff 0200 10000000 21000000 11000000");

    [Fact]
    public void Protocol_version() => Pin(new ProtocolVersion(0x0102, 0x0304), "0201 0403");

    [Fact]
    public void Dma_map() => Pin(
        new DmaMap(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728),
        "20000000 03000000 0807060504030201 1817161514131211 2827262524232221");

    [Fact]
    public void Dma_unmap() => Pin(
        new DmaUnmap(24, DmaUnmapFlags.All, 0x1112131415161718, 0x2122232425262728),
        "18000000 02000000 1817161514131211 2827262524232221");

    [Fact]
    public void Dirty_bitmap() => Pin(new DirtyBitmap(0x1000, 0x0102030405060708), "0010000000000000 0807060504030201");

    [Fact]
    public void Dma_access() => Pin(
        new DmaAccess(0x1112131415161718, 0x2122232425262728),
        "1817161514131211 2827262524232221");

    [Fact]
    public void Device_info() => Pin(
        new DeviceInfo(16, DeviceFlags.Reset | DeviceFlags.Pci, 9, 5),
        "10000000 03000000 09000000 05000000");

    [Fact]
    public void Region_info() => Pin(
        new RegionInfo(
            0x50, RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap | RegionFlags.Caps, 2, 0x20, 0x4000, 0x0102030405060708),
        "50000000 0f000000 02000000 20000000 0040000000000000 0807060504030201");

    [Fact]
    public void Region_capability_header() => Pin(new RegionCapHeader(RegionCapId.Type, 1, 0x40), "0200 0100 40000000");

    [Fact]
    public void Sparse_mmap() => Pin(new SparseMmap(2, 0xA0A1A2A3), "02000000 a3a2a1a0");

    [Fact]
    public void Sparse_mmap_area() => Pin(new SparseMmapArea(0x1000, 0x2000), "0010000000000000 0020000000000000");

    [Fact]
    public void Region_type() => Pin(new RegionType(0x80008086, 1), "86800080 01000000");

    [Fact]
    public void Region_io_fds() => Pin(new RegionIoFds(56, 0x01020304, 3, 1), "38000000 04030201 03000000 01000000");

    [Fact]
    public void Io_eventfd() => Pin(
        new IoEventFd(0x1000, 4, 2, IoFdType.IoEventFd, IoEventFdFlags.Datamatch | IoEventFdFlags.Pio, 0xB0B1B2B3, 0x0102030405060708),
        "0010000000000000 0400000000000000 02000000 00000000 03000000 b3b2b1b0 0807060504030201");

    [Fact]
    public void Io_regionfd() => Pin(
        new IoRegionFd(0x1000, 8, 2, IoFdType.IoRegionFd, IoRegionFdFlags.PostedWrites, 0xB0B1B2B3, 0x0102030405060708),
        "0010000000000000 0800000000000000 02000000 01000000 02000000 b3b2b1b0 0807060504030201");

    [Fact]
    public void Io_eventfd_shadow() => Pin(
        new IoEventFdShadow(
            0x1000, 4, 5, IoFdType.IoEventFdShadow, IoEventFdFlags.VirtioCcwNotify, 6, 0x1112131415161718, 0x0102030405060708),
        "0010000000000000 0400000000000000 05000000 02000000 08000000 06000000 1817161514131211 0807060504030201");

    [Fact]
    public void Irq_info() => Pin(
        new IrqInfo(16, IrqInfoFlags.EventFd | IrqInfoFlags.NoResize, 2, 0x800),
        "10000000 09000000 02000000 00080000");

    [Fact]
    public void Irq_set() => Pin(
        new IrqSet(20, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, 2, 7, 16),
        "14000000 24000000 02000000 07000000 10000000");

    [Fact]
    public void Region_access() => Pin(new RegionAccess(0x0102030405060708, 7, 4), "0807060504030201 07000000 04000000");

    [Fact]
    public void Region_write_multi() => Pin(new RegionWriteMulti(3), "0300000000000000");

    [Fact]
    public void Region_write_multi_entry() => Pin(
        new RegionWriteMultiEntry(0x10, 1, 2, 0xBEEF),
        "1000000000000000 01000000 02000000 efbe000000000000");

    [Fact]
    public void Device_feature() => Pin(
        new DeviceFeature(16, DeviceFeatureFlags.Probe | DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStart),
        "10000000 06000600");

    [Fact]
    public void Migration_feature() => Pin(
        new MigrationFeature(MigrationFlags.StopCopy | MigrationFlags.PreCopy), "0500000000000000");

    [Fact]
    public void Migration_device_state() => Pin(
        new MigrationDeviceState(MigrationState.StopCopy, uint.MaxValue), "03000000 ffffffff");

    [Fact]
    public void Dma_logging_control() => Pin(
        new DmaLoggingControl(0x1000, 2, 0xC0C1C2C3), "0010000000000000 02000000 c3c2c1c0");

    [Fact]
    public void Dma_logging_range() => Pin(new DmaLoggingRange(0x1000, 0x2000), "0010000000000000 0020000000000000");

    [Fact]
    public void Dma_logging_report() => Pin(
        new DmaLoggingReport(0x1000, 0x2000, 0x4000), "0010000000000000 0020000000000000 0040000000000000");

    [Fact]
    public void Migration_data() => Pin(new MigrationData(0x108, 0x100), "08010000 00010000");

    private static void Pin<T>(T value, string hex) where T : unmanaged
    {
        byte[] expected = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        byte[] written = new byte[expected.Length];

        WireFormat.Write(written, value);

        Convert.ToHexStringLower(written).Should().Be(Convert.ToHexStringLower(expected));
        WireFormat.Read<T>(expected).Should().Be(value);
    }
}
