namespace VfioUser.Virtio.Tests;

public sealed class SharedMemoryTests
{
    private const byte SharedMemoryType = 8;
    private const long Large = (5L << 30) + 4096;

    [Fact]
    public void Driver_finds_each_region_with_its_id_and_length()
    {
        using SharingDevice device = new((3, 3 * 4096), (200, Large));
        using TestGuest guest = TestGuest.Attach(device);

        VirtioDriver driver = VirtioDriver.Start(guest);

        RegionsOf(driver).Should().Equal((3, RegionIndex.Bar2, 0, 3 * 4096), (200, RegionIndex.Bar4, 0, Large));
        guest.Bar2.GetSize().Should().Be(4 * 4096);
        guest.Bar4.GetSize().Should().Be(8L << 30);
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Fact]
    public void Device_and_driver_see_the_same_bytes_before_and_after_a_migration()
    {
        using SharingDevice device = new((0, 8192));
        using TestGuest guest = TestGuest.Attach(device);
        device.Memory[0].Span(4096, 4)[3] = 7;
        guest.Bar2.Write(8188, 0x01020304u);

        guest.Bar2.Read<byte>(4099).Should().Be(7);
        device.Memory[0].Span(8188, 4).ToArray().Should().Equal(4, 3, 2, 1);
        device.Memory[0].Areas.Should().Equal(new MemoryArea(0, 8192));

        using SharingDevice target = new((0, 8192));
        using TestGuest moved = guest.MigrateTo(target);
        target.Memory[0].Span(4099, 1)[0].Should().Be(7);
        moved.Bar2.Read<uint>(8188).Should().Be(0x01020304u);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-4096)]
    [InlineData(4097)]
    [InlineData((1L << 40) + 4096)]
    public void Length_that_cannot_be_is_refused(long length) =>
        FluentActions.Invoking(() => new SharingDevice((1, length))).Should().Throw<ArgumentException>();

    [Fact]
    public void Id_is_unique_and_there_is_room_for_two()
    {
        FluentActions.Invoking(() => new SharingDevice((1, 4096), (1, 4096))).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new SharingDevice((1, 4096), (2, 4096), (3, 4096))).Should().Throw<InvalidOperationException>();
    }

    private static (byte Id, RegionIndex Bar, long Offset, long Length)[] RegionsOf(VirtioDriver driver) =>
        [.. driver.Function.Capabilities
            .Where(static one => !one.IsExtended && one.Id == 0x09 && one.Read<byte>(3) == SharedMemoryType)
            .Select(static one =>
            {
                one.Read<byte>(2).Should().Be(24, "it has the upper words of offset and length");
                return (one.Read<byte>(5), (RegionIndex)one.Read<byte>(4),
                    (long)(one.Read<uint>(8) | (ulong)one.Read<uint>(16) << 32), (long)(one.Read<uint>(12) | (ulong)one.Read<uint>(20) << 32));
            })
            .OrderBy(static region => region.Item1)];

    private sealed class SharingDevice : VirtioDevice
    {
        public SharingDevice(params (byte Id, long Length)[] regions)
            : base((VirtioDeviceType)42, queues: 1)
        {
            AddQueue("echo", 16, EchoDevice.Answer);
            Memory = [.. regions.Select(region => AddSharedMemory(region.Id, region.Length))];
            EnableMigration();
        }

        public RegionMemory[] Memory { get; }
    }
}
