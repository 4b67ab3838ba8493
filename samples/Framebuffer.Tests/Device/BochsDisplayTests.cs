using Framebuffer.Device;
using Framebuffer.Tests.Support;

namespace Framebuffer.Tests.Device;

public class BochsDisplayTests
{
    [Fact]
    public void Device_has_what_bochs_drm_looks_for()
    {
        using DisplayDriver driver = new(new BochsDisplay());

        driver.Guest.Config.Read<uint>(0x00).Should().Be(0x1111_1234u);
        driver.Guest.Config.Read<ushort>(0x0A).Should().Be(0x0380); // display, other
        driver.Guest.Bar0.GetSize().Should().Be(16 << 20);
        driver.Guest.Bar2.Read<ushort>(0x500).Should().Be(0xB0C5);
        driver.Guest.Bar2.Read<ushort>(0x514).Should().Be((16 << 20) / (64 << 10));
    }

    [Fact]
    public void There_is_no_picture_until_the_guest_asks_for_one()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        display.Mode.Should().BeNull();

        driver.SetMode(1024, 768);

        display.Mode.Should().Be(new DisplayMode(1024, 768, Offset: 0, Stride: 4096));
    }

    [Fact]
    public void Shown_pixels_may_be_part_of_a_larger_picture()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);

        driver.SetMode(640, 480, virtualWidth: 1000, x: 10, y: 20);

        display.Mode.Should().Be(new DisplayMode(640, 480, Offset: 20 * 4000 + 10 * 4, Stride: 4000));
    }

    [Fact]
    public void A_picture_may_use_the_last_byte_of_the_memory_and_none_behind_it()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);

        driver.SetMode(2048, 2048);
        DisplayMode? all = display.Mode;
        driver.SetMode(2048, 2048, x: 1);
        DisplayMode? onePixelMore = display.Mode;

        all.Should().Be(new DisplayMode(2048, 2048, Offset: 0, Stride: 8192));
        display.Row(all!.Value, 2047).Length.Should().Be(8192);
        onePixelMore.Should().BeNull();
    }

    [Theory]
    [InlineData(0, 480, 32, 0, 0, 0)]
    [InlineData(640, 0, 32, 0, 0, 0)]
    [InlineData(640, 480, 16, 0, 0, 0)]
    [InlineData(640, 480, 24, 0, 0, 0)]
    [InlineData(640, 480, 0, 0, 0, 0)]
    [InlineData(8193, 1, 32, 0, 0, 0)]
    [InlineData(1, 8193, 32, 0, 0, 0)]
    [InlineData(4096, 4096, 32, 0, 0, 0)]
    [InlineData(1024, 768, 32, 65535, 0, 0)]
    [InlineData(1024, 768, 32, 0, 0, 65535)]
    [InlineData(65535, 65535, 65535, 65535, 65535, 65535)]
    public void A_mode_that_cannot_be_shown_is_no_picture(ushort width, ushort height, ushort bitsPerPixel, ushort virtualWidth, ushort x, ushort y)
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        driver.SetMode(640, 480);

        driver.SetMode(width, height, bitsPerPixel, virtualWidth, x, y);

        display.Mode.Should().BeNull();
    }

    [Fact]
    public void Attribute_register_switches_the_screen_off_and_on()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        driver.SetMode(640, 480);

        driver.Guest.Bar2.Write<byte>(0x400, 0);
        DisplayMode? off = display.Mode;
        driver.Guest.Bar2.Write<byte>(0x400, 0x20);

        off.Should().BeNull();
        display.Mode.Should().NotBeNull();
    }

    [Fact]
    public void Reset_ends_the_picture()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        driver.SetMode(640, 480);

        driver.Guest.Reset();

        display.Mode.Should().BeNull();
        driver.Guest.Bar2.Read<ushort>(0x502).Should().Be(0);
    }

    [Fact]
    public void Next_guest_finds_no_picture_of_the_last_one()
    {
        BochsDisplay display = new();
        using (DisplayDriver first = new(display))
        {
            first.SetMode(640, 480);
            first.Pixels.Fill(0x12_3456);
        }

        using DisplayDriver second = new(display);

        second.Pixels.IndexOfAnyExcept(0u).Should().Be(-1);
    }
}
