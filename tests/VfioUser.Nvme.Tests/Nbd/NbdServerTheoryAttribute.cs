namespace VfioUser.Nvme.Tests.Nbd;

/// <summary>A test with qemu-nbd, of Debian's qemu-utils, and nbdkit. It is skipped where one is not installed, unless
/// VFIO_USER_NBD_REQUIRED is set, as in CI.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NbdServerTheoryAttribute : TheoryAttribute
{
    public NbdServerTheoryAttribute()
    {
        if (Environment.GetEnvironmentVariable("VFIO_USER_NBD_REQUIRED") is null && !(IsInstalled("qemu-nbd") && IsInstalled("nbdkit")))
            Skip = "qemu-nbd or nbdkit is not installed";
    }

    private static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Any(folder => File.Exists(Path.Combine(folder, program)));
}
