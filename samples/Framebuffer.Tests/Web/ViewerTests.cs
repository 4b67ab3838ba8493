using System.Net.WebSockets;
using Framebuffer.Tests.Support;
using Framebuffer.Web;

namespace Framebuffer.Tests.Web;

public class ViewerTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Pixels_in_mapped_memory_reach_the_viewer()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.SetMode(640, 480);
        using PageDouble page = await PageDouble.OpenAsync(served.Web.Url);
        await page.ReceiveAsync();
        (page.Width, page.Height).Should().Be((640, 480));

        served.Driver.Pixels[7 * 640 + 5] = 0x123456;

        await page.WaitUntilAsync(seen => seen.Pixels[7 * 640 + 5] == 0x123456);
        page.Pixels.Count(pixel => pixel != 0).Should().Be(1);
    }

    [Fact]
    public async Task Only_rows_that_have_changed_are_sent()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.SetMode(64, 64);
        using PageDouble page = await PageDouble.OpenAsync(served.Web.Url);
        await page.ReceiveAsync();

        served.Driver.Pixels[10 * 64] = 1;
        await page.ReceiveAsync();

        page.LastRows.Should().Equal((10, 1));
        page.Pixels[10 * 64].Should().Be(1);
    }

    [Fact]
    public async Task A_flip_shows_the_other_picture()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.Pixels[..(64 * 64)].Fill(0xAA0000);
        served.Driver.Pixels.Slice(64 * 64, 64 * 64).Fill(0x00BB00);
        served.Driver.SetMode(64, 64);
        using PageDouble page = await PageDouble.OpenAsync(served.Web.Url);
        await page.WaitUntilAsync(seen => seen.Pixels.Length > 0 && seen.Pixels.All(pixel => pixel == 0xAA0000));

        served.Driver.Guest.Bar2.Write<ushort>(0x512, 64);

        await page.WaitUntilAsync(seen => seen.Pixels.All(pixel => pixel == 0x00BB00));
    }

    [Fact]
    public async Task A_mode_that_cannot_be_shown_is_a_dark_screen_and_a_good_one_comes_back()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.SetMode(640, 480);
        using PageDouble page = await PageDouble.OpenAsync(served.Web.Url);
        await page.WaitUntilAsync(seen => seen.Width == 640);

        served.Driver.SetMode(8192, 8192);
        await page.WaitUntilAsync(seen => seen is { Width: 0, Height: 0 });
        served.Driver.SetMode(320, 200);

        await page.WaitUntilAsync(seen => seen is { Width: 320, Height: 200 });
    }

    [Fact]
    public async Task Every_viewer_sees_it_and_one_that_goes_takes_nothing_along()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.SetMode(64, 64);
        using PageDouble first = await PageDouble.OpenAsync(served.Web.Url);
        using PageDouble second = await PageDouble.OpenAsync(served.Web.Url);
        using PageDouble third = await PageDouble.OpenAsync(served.Web.Url);
        foreach (PageDouble page in new[] { first, second, third })
            await page.WaitUntilAsync(seen => seen.Width == 64);

        await first.CloseAsync();
        second.Dispose(); // without a close message
        served.Driver.Pixels[0] = 0xABCDEF;

        await third.WaitUntilAsync(seen => seen.Pixels[0] == 0xABCDEF);
        SpinWait.SpinUntil(() => served.Web.Viewers == 1, Timeout).Should().BeTrue();
    }

    [Fact]
    public async Task A_viewer_that_takes_nothing_holds_up_nobody()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        served.Driver.SetMode(1024, 768);
        using PageDouble asleep = await PageDouble.OpenAsync(served.Web.Url);
        using PageDouble awake = await PageDouble.OpenAsync(served.Web.Url);

        const uint Last = 20; // of 3 MB each: more than all buffers between server and sleeping page hold
        for (uint colour = 1; colour <= Last; colour++)
        {
            served.Driver.Pixels[..(1024 * 768)].Fill(colour);
            await awake.WaitUntilAsync(seen => seen.Pixels.Length > 0 && seen.Pixels[0] == colour && seen.Pixels[^1] == colour);
        }

        // the sleeping page gets the latest picture, and misses some before it
        List<uint> colours = [];
        await asleep.WaitUntilAsync(seen =>
        {
            if (seen.Pixels.Length > 0)
                colours.Add(seen.Pixels[0]);
            return colours.LastOrDefault() == Last;
        });
        colours.Should().HaveCountLessThan((int)Last / 2);
    }

    [Fact]
    public async Task There_is_an_end_to_how_many_may_look()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        List<PageDouble> pages = [];
        for (int i = 0; i < ScreenServer.MaxViewers; i++)
            pages.Add(await PageDouble.OpenAsync(served.Web.Url));

        Func<Task> oneMore = () => PageDouble.OpenAsync(served.Web.Url);

        (await oneMore.Should().ThrowAsync<WebSocketException>()).WithMessage("*503*");
        pages.ForEach(page => page.Dispose());
        SpinWait.SpinUntil(() => served.Web.Viewers == 0, Timeout).Should().BeTrue();
        using PageDouble later = await PageDouble.OpenAsync(served.Web.Url);
        await later.ReceiveAsync();
    }

    [Theory]
    [InlineData("http://elsewhere.example")]
    [InlineData("null")]
    public async Task A_page_from_elsewhere_sees_nothing(string origin)
    {
        await using ServedScreen served = await ServedScreen.StartAsync();

        Func<Task> open = () => PageDouble.OpenAsync(served.Web.Url, origin);

        (await open.Should().ThrowAsync<WebSocketException>()).WithMessage("*403*");
    }

    [Fact]
    public async Task Another_name_for_this_address_is_refused()
    {
        await using ServedScreen served = await ServedScreen.StartAsync();
        using HttpClient client = new();
        using HttpRequestMessage request = new(HttpMethod.Get, served.Web.Url);
        request.Headers.Host = "elsewhere.example";

        using HttpResponseMessage response = await client.SendAsync(request);

        ((int)response.StatusCode).Should().Be(403);
    }

    [Fact]
    public async Task The_server_ends_while_pages_are_open()
    {
        PageDouble page;
        await using (ServedScreen served = await ServedScreen.StartAsync())
        {
            page = await PageDouble.OpenAsync(served.Web.Url);
            await page.ReceiveAsync();
        }

        Func<Task> more = page.ReceiveAsync;

        await more.Should().ThrowAsync<WebSocketException>();
        page.Dispose();
    }
}
