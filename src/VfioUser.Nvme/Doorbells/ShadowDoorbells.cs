namespace VfioUser.Nvme;

/// <summary>
/// Two pages in guest memory: doorbells that the driver writes in place of registers, and for each an event index: the driver
/// must write the register, too, when it passes that value. NVMe 1.4 5.7, 7.13.
/// </summary>
/// <remarks>Immutable. The admin queue has none: drivers write its registers.</remarks>
internal sealed class ShadowDoorbells(Dma dma, ulong doorbells, ulong eventIndexes)
{
    public ulong Doorbells => doorbells;

    public ulong EventIndexes => eventIndexes;

    /// <returns>False when the page is not mapped any more.</returns>
    public bool TryRead(int index, out uint value) => dma.TryRead(new Iova(doorbells) + (ulong)index * sizeof(uint), out value);

    /// <summary>Has a doorbell start with a value, whatever was in its place, and the driver write the register when it passes that.</summary>
    /// <returns>False when a page is not mapped any more.</returns>
    public bool TryStart(int index, uint value) =>
        dma.TryWrite(new Iova(doorbells) + (ulong)index * sizeof(uint), value) && TryArm(index, value);

    /// <summary>Has the driver write the register when it passes <paramref name="value"/>. Poll once more after this.</summary>
    public bool TryArm(int index, uint value)
    {
        bool written = dma.TryWrite(new Iova(eventIndexes) + (ulong)index * sizeof(uint), value);
        Interlocked.MemoryBarrier();
        return written;
    }
}
