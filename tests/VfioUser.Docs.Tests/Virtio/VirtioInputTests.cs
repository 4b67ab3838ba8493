using VfioUser.Testing;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

/// <summary>The snippets of input devices in docs/virtio.md.</summary>
public sealed class VirtioInputTests
{
    [Fact]
    public void Keys_and_positions_are_reported()
    {
        using VirtioKeyboard keyboard = new();
        using VirtioTablet tablet = new();
        using TestGuest first = TestGuest.Attach(keyboard);
        using TestGuest second = TestGuest.Attach(tablet);
        VirtioDriver.Start(first);
        VirtioDriver.Start(second);

        keyboard.Tap(InputKey.LeftControl, InputKey.C);
        tablet.MoveTo(x: 16384, y: 16384); // the middle of the screen
        tablet.Set(MouseButton.Left, isPressed: true);

        (keyboard.DroppedReports + tablet.DroppedReports).Should().Be(0);
    }
}
