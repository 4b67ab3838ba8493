using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Guest memory that the client reads and writes for us. Spec: VFIO_USER_DMA_READ, VFIO_USER_DMA_WRITE.</summary>
internal sealed class MessageDma(DmaRegion region, DmaChannel channel) : DmaMapping(region)
{
    protected override DmaResult Get(ulong offset, Span<byte> destination) => channel.Read(Start + offset, destination);

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source) => channel.Write(Start + offset, source);

    protected override void Release()
    {
        // nothing is held here: the channel is the session's
    }
}
