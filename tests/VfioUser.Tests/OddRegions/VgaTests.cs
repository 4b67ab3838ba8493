using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class VgaTests
{
    [Fact]
    public void Memory_and_io_ports_lie_at_their_legacy_addresses()
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.OwnVga(recorder)));

        guest.Vga.Write(0x3C0, (byte)0x20);
        guest.Vga.Write(0x3B4, (ushort)0x0E07);
        guest.Vga.Read<byte>(0xA0000);
        guest.Vga.Read<uint>(0xBFFFC);

        recorder.Seen.Should().Equal("write 3c0 20", "write 3b4 070E", "read a0000+1", "read bfffc+4");
    }

    [Fact]
    public void Vga_region_has_0xc0000_bytes()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.OwnVga(new Recorder())));

        using ClientRegion region = guest.Client.GetRegionInfo(8);

        region.Info.Should().Be(new RegionInfo(32, RegionFlags.Read | RegionFlags.Write, 8, 0, 0xC0000, 0));
        DeviceRegionTests.Refusal(() => guest.Vga.Read<byte>(0xC0000)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void The_frame_buffer_can_be_shared()
    {
        RegionMemory? memory = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => memory = d.OwnVga(new Recorder()).ShareMemory(new MemoryArea(0xA0000, 0x20000))));
        using ClientRegion region = guest.Client.GetRegionInfo(8);
        using SharedMemory mapped = region.Map(region.Areas.Should().ContainSingle().Subject);

        mapped.Slice(0x18000, 1)[0] = (byte)'A';

        memory!.Span(0xB8000, 1)[0].Should().Be((byte)'A');
        guest.Vga.Read<byte>(0xB8000).Should().Be((byte)'A');
    }

    [Fact]
    public void A_device_has_one_at_most()
    {
        Action twice = () => _ = new OddDevice(d =>
        {
            d.OwnVga(new Recorder());
            d.OwnVga(new Recorder());
        });

        twice.Should().Throw<InvalidOperationException>();
    }
}
