using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A span of a region that a client can reach by a descriptor. Immutable.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS, "Sub-Region IO FD info format".</remarks>
internal abstract class IoFdSubRegion(ulong offset, ulong size, IFdSource fd)
{
    public ulong Offset { get; } = offset;

    /// <summary>In bytes; 0 if the width of an access does not matter.</summary>
    public ulong Size { get; } = size;

    public IFdSource Fd { get; } = fd;

    /// <summary>The shared memory beside the descriptor, or null.</summary>
    public virtual IFdSource? ShadowFd => null;

    /// <summary>Writes the entry in the specification's form, of <see cref="IoEventFd.WireSize"/> bytes.</summary>
    public abstract void Write(Span<byte> entry, uint fdIndex);

    /// <summary>Writes the entry in libvfio-user's form, of <see cref="IoEventFdShadow.WireSize"/> bytes.</summary>
    public virtual void WriteLong(Span<byte> entry, uint fdIndex, uint shadowIndex)
    {
        entry.Clear();
        Write(entry, fdIndex);
    }
}
