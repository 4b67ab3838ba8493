using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Memory of a region that device and guest share: the client maps it, the device uses spans.</summary>
/// <remarks>
/// Any thread. The guest may change it at any time: copy what must not change between a check and its use.
/// It lives until the device is disposed; keep no span longer than that. Afterwards <see cref="Span"/> throws.
/// </remarks>
public sealed class RegionMemory
{
    private readonly Region _region;
    private readonly SharedMemory _memory;
    private MemoryMigration _migration;

    internal RegionMemory(Region region, SharedMemory memory, MemoryArea[] areas)
    {
        _region = region;
        _memory = memory;
        Areas = areas;
    }

    /// <summary>The areas that the client may map.</summary>
    public IReadOnlyList<MemoryArea> Areas { get; }

    /// <summary>When a migration carries it. By default once the device is stopped.</summary>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. <see cref="MemoryMigration.PreCopy"/> needs <see cref="MigrationOptions.PreCopy"/>.</remarks>
    public MemoryMigration Migration
    {
        get => _migration;
        set
        {
            _region.Device.ThrowIfServed();
            _migration = value;
        }
    }

    internal SharedMemory Shared => _memory;

    /// <summary>Called when a message has changed it, with offset and length.</summary>
    internal Action<long, int>? Written { get; private set; }

    /// <summary>Part of the memory.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="length">In bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range exceeds the region.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    public Span<byte> Span(long offset, int length) => _memory.Slice((ulong)offset, length);

    /// <summary>Adds a handler for writes that come as messages, although the client could have mapped the memory.</summary>
    /// <param name="handler">Gets the offset of the first byte, relative to the region, and the length in bytes. The memory has
    /// the new bytes.</param>
    /// <exception cref="InvalidOperationException">The region is read-only, so that no guest writes, or the device is being served.</exception>
    /// <remarks>
    /// Setup. The handler runs on the Command thread, before the reply. A write through a mapping calls nothing. QEMU without KVM
    /// sends messages while it delivers INTx: a driver that acknowledges in this memory has done so when the handler runs, so the
    /// handler can call <see cref="Intx.Deassert"/>.
    /// </remarks>
    public void AddWriteHandler(Action<long, int> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _region.Device.ThrowIfServed();
        if (!_region.IsWritable)
            throw new InvalidOperationException($"{_region.Index} is read-only: no write of a guest reaches the handler.");
        Written += handler;
    }
}
