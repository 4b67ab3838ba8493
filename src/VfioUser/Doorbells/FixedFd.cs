using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A descriptor that is there already.</summary>
internal sealed record FixedFd(SafeHandle Handle) : IFdSource
{
    public SafeHandle Open() => Handle;
}
