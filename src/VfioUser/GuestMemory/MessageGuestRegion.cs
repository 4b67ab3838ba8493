using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Guest memory that the client accesses for the device. Spec: VFIO_USER_DMA_READ, VFIO_USER_DMA_WRITE.</summary>
internal sealed class MessageGuestRegion(DmaRegion description, IDmaMessages messages) : GuestRegion(description, isHeldByAccesses: false)
{
    // An unmap does not wait for an access: QEMU answers no message while it waits for the reply to the unmap. It is the client that accesses
    // the memory, and knows what is there.
    protected override DmaResult Get(ulong offset, Span<byte> destination) => AsUnmapped(messages.Read(Start + offset, destination));

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source) => AsUnmapped(messages.Write(Start + offset, source));

    protected override void Release()
    {
        // holds no resources of its own
    }

    // the client refuses what it has unmapped meanwhile
    private DmaResult AsUnmapped(DmaResult result) =>
        result.Status == DmaStatus.Refused && !IsOpen ? new DmaResult(DmaStatus.NotMapped, result.Address) : result;
}
