using Framebuffer.Device;
using Framebuffer.Web;

namespace Framebuffer.Tests.Support;

/// <summary>A display with a guest that draws on it, and its screen on a free port.</summary>
internal sealed class ServedScreen : IAsyncDisposable
{
    private ServedScreen(DisplayDriver driver, ScreenServer web)
    {
        Driver = driver;
        Web = web;
    }

    public DisplayDriver Driver { get; }

    public ScreenServer Web { get; }

    public static async Task<ServedScreen> StartAsync()
    {
        BochsDisplay display = new();
        ScreenServer web = await ScreenServer.StartAsync(new Screen(display), new Uri("http://127.0.0.1:0"));
        return new ServedScreen(new DisplayDriver(display), web);
    }

    public async ValueTask DisposeAsync()
    {
        await Web.DisposeAsync();
        Driver.Dispose();
    }
}
