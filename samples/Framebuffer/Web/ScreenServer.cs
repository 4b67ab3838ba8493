using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Framebuffer.Web;

/// <summary>Serves the page, and sends the screen to every open page.</summary>
internal sealed class ScreenServer : IAsyncDisposable
{
    /// <summary>Limits memory: each viewer may hold a whole picture.</summary>
    public const int MaxViewers = 16;

    private readonly byte[] _page = Page();
    private readonly WebApplication _web;
    private readonly Screen _screen;
    private readonly string _host;
    private int _viewers;

    private ScreenServer(Screen screen, Uri url)
    {
        _screen = screen;
        _host = url.Host;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().UseUrls(url.ToString());
        _web = builder.Build();
        _web.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(15), KeepAliveTimeout = TimeSpan.FromSeconds(60) });
        _web.Run(AnswerAsync);
    }

    /// <summary>URL of the page.</summary>
    public Uri Url => new(_web.Urls.First());

    /// <summary>Number of open pages.</summary>
    public int Viewers => Volatile.Read(ref _viewers);

    /// <summary>Starts listening.</summary>
    /// <param name="screen">The screen to show.</param>
    /// <param name="url">With port 0 for any free port.</param>
    /// <exception cref="IOException">The address is in use.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The address is not this host's, or not allowed for this user.</exception>
    public static async Task<ScreenServer> StartAsync(Screen screen, Uri url)
    {
        ScreenServer server = new(screen, url);
        try
        {
            await server._web.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Completes when it stops, or is cancelled.</summary>
    public Task WaitForShutdownAsync(CancellationToken cancellation) => _web.WaitForShutdownAsync(cancellation);

    /// <summary>Disconnects all viewers and stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync();
        await _web.DisposeAsync();
    }

    private Task AnswerAsync(HttpContext context)
    {
        if (!IsForUs(context.Request))
            return Refuse(context, StatusCodes.Status403Forbidden);
        return context.Request.Path.Value switch
        {
            "/" => SendPageAsync(context.Response),
            "/screen" when context.WebSockets.IsWebSocketRequest => ShowAsync(context),
            _ => Refuse(context, StatusCodes.Status404NotFound),
        };
    }

    private async Task SendPageAsync(HttpResponse response)
    {
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = _page.Length;
        response.Headers.CacheControl = "no-cache";
        await response.Body.WriteAsync(_page);
    }

    private async Task ShowAsync(HttpContext context)
    {
        try
        {
            if (Interlocked.Increment(ref _viewers) > MaxViewers)
            {
                await Refuse(context, StatusCodes.Status503ServiceUnavailable);
                return;
            }
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
                context.RequestAborted, _web.Lifetime.ApplicationStopping);
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
            await new Viewer(socket, _screen).ShowAsync(stop.Token);
        }
        finally
        {
            Interlocked.Decrement(ref _viewers);
        }
    }

    // Any page in the same browser can connect here, even through a DNS name of its own for this address. Only our page may.
    private bool IsForUs(HttpRequest request)
    {
        string host = request.Host.Host;
        bool known = host is "localhost" || string.Equals(host, _host, StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _);
        string? origin = request.Headers.Origin;
        return known && (origin is null || string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase));
    }

    private static Task Refuse(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private static byte[] Page()
    {
        using Stream resource = typeof(ScreenServer).Assembly.GetManifestResourceStream("index.html")!;
        byte[] page = new byte[resource.Length];
        resource.ReadExactly(page);
        return page;
    }

    /// <summary>Leaves Ctrl-C and SIGTERM to the command line.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
