using FluentAssertions;
using VfioUser;
using VfioUser.Client;
using VfioUser.Testing;
using Xunit;

public class NullDeviceTests
{
    [Fact]
    public void Guest_reads_the_identity()
    {
        using var guest = TestGuest.Attach(new NullDevice());

        guest.Config.Read<ushort>(0x00).Should().Be(0x1B36); // vendor
        guest.Config.Read<ushort>(0x02).Should().Be(0x00F0); // device
        guest.Config.Read<uint>(0x08).Should().Be(0u);       // class and revision: in no class
        guest.Config.Read<byte>(0x34).Should().Be(0);        // no capability
        guest.Config.Read<byte>(0x3D).Should().Be(0);        // no INTx
    }

    [Fact]
    public void There_is_no_region_but_configuration_space_and_no_interrupt()
    {
        using var guest = TestGuest.Attach(new NullDevice());

        RegionIndex[] regions = [.. Enum.GetValues<RegionIndex>().Where(region => guest.Region(region).GetSize() > 0)];
        IrqType[] irqs = [.. Enum.GetValues<IrqType>().Where(irq => guest.Client.GetIrqInfo((uint)irq).Count > 0)];

        regions.Should().Equal(RegionIndex.Config);
        irqs.Should().BeEmpty();
    }

    [Fact]
    public void A_guest_that_sizes_the_base_addresses_finds_none()
    {
        using var guest = TestGuest.Attach(new NullDevice());

        for (uint register = 0x10; register <= 0x24; register += 4)
        {
            guest.Config.Write(register, uint.MaxValue);
            guest.Config.Read<uint>(register).Should().Be(0u);
        }
    }

    [Fact]
    public void Reset_takes_back_what_the_guest_set()
    {
        using var guest = TestGuest.Attach(new NullDevice(), new() { EnableBusMaster = false });
        guest.Config.Write<ushort>(0x04, 0x0004); // bus mastering
        guest.Config.Read<ushort>(0x04).Should().Be(0x0004);

        guest.Reset();

        guest.Config.Read<ushort>(0x04).Should().Be(0);
        guest.Config.Read<ushort>(0x00).Should().Be(0x1B36);
    }

    [Fact]
    public async Task Guests_come_and_go_and_leave_no_descriptor_behind()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("null-");
        try
        {
            string path = Path.Combine(folder.FullName, "device.sock");
            await ServeGuests(path, count: 1); // opens what stays open
            int before = OpenDescriptors();

            await ServeGuests(path, count: 100);

            OpenDescriptors().Should().BeLessThanOrEqualTo(before);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task ServeGuests(string path, int count)
    {
        using VfioUserServer server = VfioUserServer.Bind(path);
        Task serving = server.RunAsync(new NullDevice());
        byte[] vendor = new byte[2];
        for (int i = 0; i < count; i++)
        {
            using VfioUserClient guest = VfioUserClient.Connect(path);
            guest.MapDma(address: 0, size: 0x1000);
            guest.ReadRegion((uint)RegionIndex.Config, 0, vendor);
            vendor.Should().Equal(0x36, 0x1B);
        }
        server.Dispose();
        await serving.WaitAsync(TimeSpan.FromSeconds(60));
    }

    // without files on disk: the runtime opens an assembly when it is first needed
    private static int OpenDescriptors() =>
        Directory.GetFiles("/proc/self/fd").Count(path => new FileInfo(path).LinkTarget?.StartsWith('/') == false);
}
