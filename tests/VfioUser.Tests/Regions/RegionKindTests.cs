using System.Buffers.Binary;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegionKindTests
{
    private const uint Vga = (uint)RegionIndex.Vga;

    [Fact]
    public void A_64_bit_bar_may_be_larger_than_4_gibibytes()
    {
        RecordingHandler handler = new();
        Register<ulong> register = null!;
        const long Size = 1L << 40;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
        {
            Bar bar = device.AddBar(2, BarKind.Memory64Prefetchable, Size, handler);
            register = bar.AddRegister<ulong>(Size - 8);
            bar.Number.Should().Be(2);
            bar.Kind.Should().Be(BarKind.Memory64Prefetchable);
        }));

        guest.Bar2.Write(Size - 8, 0x1122_3344_5566_7788ul);
        guest.Bar2.Read<uint>(0x1_2345_6700).Should().Be(0x0302_0100);

        guest.Bar2.GetSize().Should().Be(Size);
        register.Value.Should().Be(0x1122_3344_5566_7788);
        handler.Reads.Should().Equal((0x1_2345_6700, 4));
    }

    [Fact]
    public void A_bar_has_the_address_that_the_guest_assigned()
    {
        Bar bar = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => bar = device.AddBar(0, BarKind.Memory64, 0x10000)));
        bar.Address.Should().Be(0);

        guest.Config.Write(0x10, 0xFEB0_0000u);
        guest.Config.Write(0x14, 0x12u);

        bar.Address.Should().Be(0x12_FEB0_0000);
    }

    [Fact]
    public void Ports_are_accessed_like_memory()
    {
        Register<byte> port = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => port = device.AddBar(5, BarKind.Io, 4).AddRegister<byte>(3)));

        guest.Bar5.Write<byte>(3, 0x5A);

        port.Value.Should().Be(0x5A);
        guest.Bar5.Read<uint>(0).Should().Be(0x5A00_0000);
        guest.Bar5.GetSize().Should().Be(4);
    }

    [Theory]
    [InlineData(0, 2048)]
    [InlineData(5, 2048)]
    [InlineData(2048, 2048)]
    [InlineData(2049, 4096)]
    [InlineData(70_000, 131_072)]
    public void A_rom_holds_its_image_and_is_padded_with_ones(int length, int size)
    {
        byte[] image = new byte[length];
        new Random(length).NextBytes(image);
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddRom(image)));

        byte[] read = new byte[size];
        guest.Rom.Read(0, read);

        guest.Rom.GetSize().Should().Be(size);
        read[..length].Should().Equal(image);
        read[length..].Should().NotContain(value => value != 0xFF);
        if (length > 2)
        {
            byte[] border = new byte[4];
            guest.Rom.Read(length - 2, border.AsSpan(0, Math.Min(4, size - length + 2)));
            border[..2].Should().Equal(image[^2..]);
        }
    }

    [Fact]
    public void A_rom_cannot_be_written()
    {
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddRom("ROM"u8).IsWritable.Should().BeFalse()));

        guest.Rom.Invoking(rom => rom.Write<byte>(0, 1)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);

        guest.Rom.Read<byte>(0).Should().Be((byte)'R');
        using ClientRegion region = guest.Client.GetRegionInfo((uint)RegionIndex.Rom);
        (region.Info.Flags & (RegionFlags.Read | RegionFlags.Write)).Should().Be(RegionFlags.Read);
    }

    [Fact]
    public void The_vga_region_reaches_its_handler_at_the_legacy_addresses()
    {
        RecordingHandler handler = new();
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddVga(handler)));
        byte[] read = new byte[2];

        guest.Client.ReadRegion(Vga, 0x3C4, read);
        guest.Client.WriteRegion(Vga, 0xBFFFF, [0x41]);

        read.Should().Equal(0xC4, 0xC5);
        handler.Writes.Should().ContainSingle().Which.Offset.Should().Be(0xBFFFF);
        guest.Client.Invoking(client => client.WriteRegion(Vga, 0xC0000, [0])).Should().Throw<VfioUserException>();
    }

    [Fact]
    public void Posted_writes_arrive_in_order_before_the_read_that_follows()
    {
        RecordingHandler handler = new();
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000, handler)));

        for (uint i = 0; i < 1000; i++)
            guest.Bar0.Post(i % 512 * 8, i);
        guest.Bar0.Read<byte>(0);

        handler.Writes.Select(write => BinaryPrimitives.ReadUInt32LittleEndian(write.Bytes)).Should().Equal(Enumerable.Range(0, 1000).Select(i => (uint)i));
    }
}
