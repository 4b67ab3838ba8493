using Framebuffer.Device;
using Framebuffer.Web;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Framebuffer.Cli;

/// <summary>Serves the display to virtual machines, and its screen to browsers, until it is cancelled.</summary>
internal static class Serve
{
    public static async Task RunAsync(string socket, Uri url, bool trustClientMemory, CancellationToken stop)
    {
        using BochsDisplay display = new();
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        VfioUserServerOptions options = new() { TrustClientMemory = trustClientMemory, Logger = loggers.CreateLogger("framebuffer") };
        using VfioUserServer server = VfioUserServer.Bind(socket, options);
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
