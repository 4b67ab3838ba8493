using System.Text.Json.Nodes;

namespace Framebuffer.Tests.Support;

/// <summary>An open page in the browser.</summary>
internal sealed class ChromiumPage
{
    private readonly DevTools _devTools;
    private readonly string _session;

    private ChromiumPage(DevTools devTools, string session)
    {
        _devTools = devTools;
        _session = session;
    }

    public static async Task<ChromiumPage> OpenAsync(DevTools devTools, Uri url)
    {
        JsonNode target = await devTools.SendAsync("Target.createTarget", new JsonObject { ["url"] = "about:blank" });
        JsonNode attached = await devTools.SendAsync("Target.attachToTarget",
            new JsonObject { ["targetId"] = (string?)target["targetId"], ["flatten"] = true });
        string session = (string)attached["sessionId"]!;
        await devTools.SendAsync("Page.enable", session: session);
        await devTools.SendAsync("Page.navigate", new JsonObject { ["url"] = url.ToString() }, session);
        await devTools.WaitForAsync("Page.loadEventFired", session);
        return new ChromiumPage(devTools, session);
    }

    /// <summary>Waits until a JavaScript expression is true; on timeout fails with the value of another one.</summary>
    public async Task WaitUntilAsync(string condition, string otherwise)
    {
        string promise = $$"""
            new Promise(done => {
              const end = Date.now() + 50000;
              (function look() {
                let is = false;
                try { is = {{condition}}; } catch { is = false; /* what it looks at is not there yet */ }
                if (is || Date.now() > end) done(is ? "" : String({{otherwise}})); else setTimeout(look, 20);
              })();
            })
            """;
        (await EvaluateAsync(promise)).Should().Be("", $"{condition} was waited for");
    }

    /// <summary>The value of a JavaScript expression, a string.</summary>
    public async Task<string?> EvaluateAsync(string expression)
    {
        JsonNode result = await _devTools.SendAsync("Runtime.evaluate",
            new JsonObject { ["expression"] = expression, ["awaitPromise"] = true, ["returnByValue"] = true }, _session);
        if (result["exceptionDetails"] is { } exception)
            throw new InvalidOperationException(exception.ToJsonString());
        return (string?)result["result"]?["value"];
    }

    /// <summary>A screenshot, as PNG.</summary>
    public async Task<byte[]> ScreenshotAsync() =>
        Convert.FromBase64String((string)(await _devTools.SendAsync("Page.captureScreenshot", session: _session))["data"]!);
}
