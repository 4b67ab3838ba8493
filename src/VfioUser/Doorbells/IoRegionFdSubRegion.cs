using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A sub-region whose accesses become ioregionfd messages on a descriptor that the device serves.</summary>
internal sealed class IoRegionFdSubRegion(long offset, long size, IFdSource fd, IoRegionFdFlags flags, ulong userData)
    : IoFdSubRegion(offset, size, fd)
{
    public override void Write(Span<byte> entry, uint fdIndex) =>
        WireFormat.Write(entry, new IoRegionFd((ulong)Offset, (ulong)Size, fdIndex, IoFdType.IoRegionFd, flags, 0, userData));
}
