using VfioUser.PowerLoss.Tests.Medium;

namespace VfioUser.PowerLoss.Tests;

/// <summary>A test with a file on libnbd's nbdfuse. It is skipped where that is not installed, unless VFIO_USER_FUSE_REQUIRED is set, as
/// in CI.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MountTheoryAttribute : TheoryAttribute
{
    public MountTheoryAttribute()
    {
        if (Environment.GetEnvironmentVariable("VFIO_USER_FUSE_REQUIRED") is null)
            Skip = MountedFile.Missing;
    }
}
