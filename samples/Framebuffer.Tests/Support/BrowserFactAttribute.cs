namespace Framebuffer.Tests.Support;

/// <summary>A test in a browser. Skipped where there is none, unless <c>VFIO_USER_BROWSER_REQUIRED</c> is set.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute()
    {
        // If a browser is required, the test runs, and starting the browser fails with the same message.
        if (Environment.GetEnvironmentVariable("VFIO_USER_BROWSER_REQUIRED") is not ("1" or "true"))
        {
            Skip = Chromium.Missing;
        }
    }
}
