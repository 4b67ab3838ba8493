using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A contiguous part of a pin, as memory for .NET and for the kernel. Its region has been entered for it.</summary>
/// <remarks>
/// Any thread. Each I/O that pins the memory is a use of the whole pin, so a pin that is disposed meanwhile is released, and its pages
/// are marked dirty, when the I/O has ended.
/// </remarks>
internal sealed class DmaPinSegment(DmaPin pin, MappedGuestRegion region, ulong offset, int length)
    : MappedMemoryManager(region.Part(offset, length))
{
    /// <summary>The next part of the same pin.</summary>
    public DmaPinSegment? Next { get; set; }

    public DmaMeter? Meter => region.Meter;

    protected override bool IsHeld => pin.IsHeld;

    /// <summary>Exits the region.</summary>
    public void Release(bool written)
    {
        if (written)
            region.Written(offset, length);
        region.Exit();
    }

    protected override bool TryEnter() => pin.TryEnter();

    protected override void Exit() => pin.Exit();
}
