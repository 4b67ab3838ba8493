namespace VfioUser.Tool.Tests.Capturing;

/// <summary>A test with tshark, of Debian's package of that name. It is skipped where that is not installed, unless
/// VFIO_USER_TSHARK_REQUIRED is set, as in CI.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TsharkFactAttribute : FactAttribute
{
    public TsharkFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("VFIO_USER_TSHARK_REQUIRED") is null && !IsInstalled("tshark"))
            Skip = "tshark is not installed";
    }

    private static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
