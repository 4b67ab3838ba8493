using System.Diagnostics;
using System.Net.WebSockets;

namespace Framebuffer.Tests.Support;

/// <summary>A browser without a window, with a profile of its own.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    private const string Announcement = "DevTools listening on ";
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    private readonly Process _process;
    private readonly DirectoryInfo _profile;
    private DevTools? _devTools;
    private Task _reading = Task.CompletedTask;

    private Chromium(Process process, DirectoryInfo profile)
    {
        _process = process;
        _profile = profile;
    }

    /// <summary>Why there is no browser and what to do about it, in one line; null if there is one.</summary>
    public static string? Missing => Path is null
        ? "no Chromium: apt-get install chromium, or name one in VFIO_USER_BROWSER"
        : null;

    private static string? Path => Environment.GetEnvironmentVariable("VFIO_USER_BROWSER") is { Length: > 0 } named
        ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .SelectMany(folder => Names.Select(name => System.IO.Path.Combine(folder, name)))
            .FirstOrDefault(File.Exists);

    public static async Task<Chromium> StartAsync()
    {
        string path = Path ?? throw new InvalidOperationException(Missing);
        DirectoryInfo profile = Directory.CreateTempSubdirectory("chromium-");
        ProcessStartInfo start = new(path,
        [
            // Chromium has no sandbox for root; only our own page is opened
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1200,800",
            $"--user-data-dir={profile.FullName}", "--remote-debugging-port=0", "about:blank",
        ])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Chromium chromium = new(Process.Start(start) ?? throw new InvalidOperationException("Chromium did not start"), profile);
        try
        {
            chromium._devTools = await DevTools.ConnectAsync(await chromium.ReadAddressAsync().WaitAsync(Timeout));
            return chromium;
        }
        catch
        {
            await chromium.DisposeAsync();
            throw;
        }
    }

    public Task<ChromiumPage> OpenAsync(Uri url) => ChromiumPage.OpenAsync(_devTools!, url);

    public async ValueTask DisposeAsync()
    {
        if (_devTools is not null)
        {
            await CloseAsync(_devTools);
        }
        else
        {
            _process.Kill(entireProcessTree: true);
        }
        await _process.WaitForExitAsync().WaitAsync(Timeout);
        await _reading.WaitAsync(Timeout);
        _process.Dispose();
        SpinWait.SpinUntil(TryDeleteProfile, Timeout).Should().BeTrue();
    }

    // Browser.close lets Chromium end its child processes
    private static async Task CloseAsync(DevTools devTools)
    {
        using (devTools)
        {
            try
            {
                await devTools.SendAsync("Browser.close");
            }
            catch (WebSocketException)
            {
                // it may end before it replies
            }
        }
    }

    // a child process may still be writing to it
    private bool TryDeleteProfile()
    {
        try
        {
            _profile.Delete(recursive: true);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(_profile.FullName);
        }
    }

    private async Task<Uri> ReadAddressAsync()
    {
        List<string> lines = [];
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(Announcement, StringComparison.Ordinal))
            {
                _reading = _process.StandardError.ReadToEndAsync(); // a full pipe would stop it
                return new Uri(line[Announcement.Length..]);
            }
            lines.Add(line);
        }
        throw new IOException($"Chromium has ended: {string.Join('\n', lines)}");
    }
}
