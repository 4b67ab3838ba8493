using Framebuffer.Device;
using Framebuffer.Tests.Support;
using Framebuffer.Web;

namespace Framebuffer.Tests.Web;

public class ScreenTests
{
    [Fact]
    public void There_is_nothing_to_tell_while_nothing_changes()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        driver.SetMode(640, 480);
        Screen screen = new(display);
        ScreenMessage message = new();
        long seen = 0;
        screen.Read(ref seen, message);
        message.Bytes.Length.Should().Be(4 + 4 + 640 * 480 * 4);

        message.Clear();
        screen.Read(ref seen, message);

        message.Bytes.Length.Should().Be(0);
    }

    [Fact]
    public void A_late_viewer_gets_the_whole_picture()
    {
        BochsDisplay display = new();
        using DisplayDriver driver = new(display);
        driver.SetMode(64, 64);
        Screen screen = new(display);
        long early = 0;
        screen.Read(ref early, new ScreenMessage());
        ScreenMessage message = new();
        long late = 0;

        screen.Read(ref late, message);

        message.Bytes.Length.Should().Be(4 + 4 + 64 * 64 * 4);
        late.Should().Be(early);
    }
}
