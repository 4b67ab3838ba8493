using VfioUser;

namespace Nvme.Doorbells;

/// <summary>
/// Two pages in guest memory: doorbells that the driver writes without a register access, and for each the value up to
/// which it need not ring. NVMe 1.4 5.7, 7.13.
/// </summary>
/// <remarks>Immutable. The admin queue has none: drivers ring it by register.</remarks>
internal sealed class ShadowDoorbells(Dma dma, ulong doorbells, ulong eventIndexes)
{
    public ulong Doorbells => doorbells;

    public ulong EventIndexes => eventIndexes;

    /// <returns>False when it is no memory any more.</returns>
    public bool TryRead(int index, out uint value) => dma.TryRead(new Iova(doorbells) + (ulong)index * sizeof(uint), out value);

    /// <summary>Has the driver ring the register when it goes beyond <paramref name="value"/>. Look again after this.</summary>
    public bool TryArm(int index, uint value)
    {
        bool written = dma.TryWrite(new Iova(eventIndexes) + (ulong)index * sizeof(uint), value);
        Interlocked.MemoryBarrier();
        return written;
    }
}
