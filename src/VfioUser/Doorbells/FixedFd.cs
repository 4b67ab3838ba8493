using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A descriptor that exists already.</summary>
internal sealed record FixedFd(SafeHandle Handle) : IFdSource
{
    public SafeHandle Open() => Handle;
}
