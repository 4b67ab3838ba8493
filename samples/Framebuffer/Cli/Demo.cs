using System.Diagnostics;
using Framebuffer.Device;
using Framebuffer.Guest;
using Framebuffer.Web;
using VfioUser;

namespace Framebuffer.Cli;

/// <summary>The display and a guest that draws on it, in one process, over a real socket.</summary>
internal static class Demo
{
    private const int Width = 640;
    private const int Height = 480;
    private static readonly TimeSpan FrameTime = TimeSpan.FromSeconds(1.0 / 60);

    public static async Task RunAsync(Uri url, TimeSpan duration, CancellationToken stop)
    {
        string path = Path.Combine(Path.GetTempPath(), $"framebuffer-{Environment.ProcessId}.sock");
        using BochsDisplay display = new();
        using VfioUserServer server = VfioUserServer.Bind(path);
        await using ScreenServer web = await ScreenServer.StartAsync(new Screen(display), url);
        Task serving = server.RunAsync(display, CancellationToken.None);
        Console.WriteLine($"A guest draws {Width} by {Height} pixels. Look at {web.Url}");

        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        end.CancelAfter(duration);
        using (DrawingGuest guest = new(path, Width, Height))
            await DrawAsync(guest, end.Token);
        server.Dispose();
        await serving;
    }

    private static async Task DrawAsync(DrawingGuest guest, CancellationToken end)
    {
        Plasma plasma = new(Width, Height);
        long start = Stopwatch.GetTimestamp();
        int frames = 0;
        using PeriodicTimer timer = new(FrameTime);
        while (!end.IsCancellationRequested)
        {
            plasma.Draw(guest.Hidden, (float)Stopwatch.GetElapsedTime(start).TotalSeconds);
            guest.Flip();
            frames++;
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
        Console.WriteLine($"It has drawn {frames} pictures in {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s.");
    }
}
