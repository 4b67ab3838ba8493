using Framebuffer.Tests.Support;

namespace Framebuffer.Tests.Web;

/// <summary>The page, in a browser.</summary>
[Trait("Category", "External")]
public class PageTests
{
    [BrowserFact]
    public async Task The_page_shows_what_the_guest_draws()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        await using Chromium chromium = await Chromium.StartAsync();

        ChromiumPage page = await chromium.OpenAsync(served.Web.Url);
        await page.WaitUntilAsync("byId('notice').textContent === 'no signal'", "byId('notice').textContent");

        served.Driver.SetMode(320, 200);
        served.Driver.Pixels[..(320 * 200)].Fill(0x204060);
        served.Driver.Pixels[100 * 320 + 50] = 0xFFC080;
        await WaitForPixel(page, 50, 100, 0xFFC080);
        await WaitForPixel(page, 51, 100, 0x204060);
        (await page.EvaluateAsync("byId('resolution').textContent")).Should().Be("320 × 200");
        (await page.EvaluateAsync("document.body.className")).Should().Be("live");

        served.Driver.Pixels[100 * 320 + 51] = 0x00FF00;
        await WaitForPixel(page, 51, 100, 0x00FF00);
        await WaitForPixel(page, 50, 100, 0xFFC080);

        served.Driver.SetMode(640, 480);
        await page.WaitUntilAsync("canvas.width === 640 && canvas.height === 480", "canvas.width + ' × ' + canvas.height");
        (await page.ScreenshotAsync()).Should().StartWith([0x89, 0x50, 0x4E, 0x47]);
    }

    private static Task WaitForPixel(ChromiumPage page, int x, int y, uint colour) => page.WaitUntilAsync(
        $"context.getImageData({x}, {y}, 1, 1).data.join() === '{colour >> 16},{colour >> 8 & 0xFF},{colour & 0xFF},255'",
        $"'the pixel is ' + context.getImageData({x}, {y}, 1, 1).data.join()");
}
