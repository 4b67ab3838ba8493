namespace VfioUser;

/// <summary>Guest memory that the client has mapped for the device.</summary>
/// <param name="Address">First byte.</param>
/// <param name="Length">In bytes.</param>
/// <param name="IsReadable">Whether the device may read it.</param>
/// <param name="IsWritable">Whether the device may write it.</param>
/// <param name="Backing">How it is accessed.</param>
/// <remarks>Immutable. Spec: VFIO_USER_DMA_MAP.</remarks>
public sealed record DmaRegion(Iova Address, ulong Length, bool IsReadable, bool IsWritable, DmaBacking Backing);
