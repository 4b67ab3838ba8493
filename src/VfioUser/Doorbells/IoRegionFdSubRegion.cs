using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A span whose accesses become messages on a descriptor of the author's.</summary>
internal sealed class IoRegionFdSubRegion(ulong offset, ulong size, IFdSource fd, IoRegionFdFlags flags, ulong userData)
    : IoFdSubRegion(offset, size, fd)
{
    public override void Write(Span<byte> entry, uint fdIndex) =>
        WireFormat.Write(entry, new IoRegionFd(Offset, Size, fdIndex, IoFdType.IoRegionFd, flags, 0, userData));
}
