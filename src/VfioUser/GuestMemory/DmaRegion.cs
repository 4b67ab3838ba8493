namespace VfioUser;

/// <summary>Guest memory that the client has mapped for the device.</summary>
/// <remarks>Immutable. Spec: VFIO_USER_DMA_MAP.</remarks>
public sealed record DmaRegion
{
    internal DmaRegion(Iova address, ulong length, bool isReadable, bool isWritable, DmaBacking backing)
    {
        Address = address;
        Length = length;
        IsReadable = isReadable;
        IsWritable = isWritable;
        Backing = backing;
    }

    /// <summary>First byte.</summary>
    public Iova Address { get; }

    /// <summary>In bytes.</summary>
    public ulong Length { get; }

    /// <summary>Whether the device may read it.</summary>
    public bool IsReadable { get; }

    /// <summary>Whether the device may write it.</summary>
    public bool IsWritable { get; }

    /// <summary>How it is accessed.</summary>
    public DmaBacking Backing { get; }
}
