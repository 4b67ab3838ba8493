using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Framebuffer;

/// <summary>The display under Linux's own driver.</summary>
public class FramebufferGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["bochs"], programs: []);

    [VmFact]
    public async Task Linux_draws_shows_its_console_and_switches_the_screen_off_and_on()
    {
        await using var served = new ServedDisplay();
        await using VirtualMachine machine = await VirtualMachine.Start(Guest, served.SocketPath);
        (await machine.Output("cat /sys/bus/pci/drivers/bochs-drm/0*/vendor")).Should().Be("0x1234");
        served.Shows(screen => screen.Mode is { Width: 1024, Height: 768, Stride: 4096 }).Should().BeTrue();

        // blue, green, red: what Linux calls XRGB8888
        await machine.Output(@"printf '\063\146\231\000' | dd of=/dev/fb0 bs=4 seek=$((300 * 1024 + 200))");
        served.Shows(screen => screen.Pixel(200, 300) == 0x996633).Should().BeTrue();

        await machine.Output(@"printf '\033[2J\033[HHello from the guest\n' >/dev/tty1");
        served.Shows(screen => screen.Lit(top: 0, rows: 16) > 100 && screen.Pixel(200, 300) == 0).Should().BeTrue("text stands on the first line and nothing else is left");

        await machine.Output("echo 1 >/sys/class/graphics/fb0/blank");
        served.Shows(screen => screen.Mode is null).Should().BeTrue();
        await machine.Output("echo 0 >/sys/class/graphics/fb0/blank");
        served.Shows(screen => screen.Mode is not null).Should().BeTrue();
    }
}
