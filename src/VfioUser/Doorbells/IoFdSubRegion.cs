using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A sub-region that a client can access through a descriptor. Immutable.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS, "Sub-Region IO FD info format".</remarks>
internal abstract class IoFdSubRegion(long offset, long size, IFdSource fd)
{
    public long Offset { get; } = offset;

    /// <summary>In bytes; 0 for accesses of any width.</summary>
    public long Size { get; } = size;

    public IFdSource Fd { get; } = fd;

    /// <summary>The shared memory of a shadow ioeventfd, or null.</summary>
    public virtual IFdSource? ShadowFd => null;

    /// <summary>Writes the entry in the specification's format, of <see cref="IoEventFd.WireSize"/> bytes.</summary>
    public abstract void Write(Span<byte> entry, uint fdIndex);

    /// <summary>Writes the entry in libvfio-user's format, of <see cref="IoEventFdShadow.WireSize"/> bytes.</summary>
    public virtual void WriteLong(Span<byte> entry, uint fdIndex, uint shadowIndex)
    {
        entry.Clear();
        Write(entry, fdIndex);
    }
}
