using Framebuffer.Device;
using Framebuffer.Web;
using VfioUser;

namespace Framebuffer.Cli;

/// <summary>Serves the display to virtual machines, and its screen to browsers, until it is told to stop.</summary>
internal static class Serve
{
    public static async Task RunAsync(string socket, Uri url, CancellationToken stop)
    {
        BochsDisplay display = new();
        using VfioUserServer server = VfioUserServer.Bind(socket);
        await using ScreenServer web = await ScreenServer.StartAsync(new Screen(display), url);
        Task serving = server.RunAsync(display, stop);

        Console.WriteLine($"The screen is at {web.Url}");
        Console.WriteLine($"The display is on {socket}. QEMU 10.1 or newer attaches it with");
        Console.WriteLine($"  -vga none -device '{{\"driver\":\"vfio-user-pci\",\"socket\":{{\"type\":\"unix\",\"path\":\"{Path.GetFullPath(socket)}\"}}}}'");
        Console.WriteLine("Linux shows its console there once it has loaded bochs. Ctrl-C ends it.");
        await await Task.WhenAny(serving, web.WaitForShutdownAsync(stop));
        server.Dispose();
        await serving;
    }
}
