using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Memory behind a region that device and guest both see: the client maps it, the device uses spans.</summary>
/// <remarks>
/// Any thread. The guest changes it at any time, unseen: copy what must not change between a check and its use.
/// It lives until the device is disposed; keep no span longer than that. Afterwards <see cref="Span"/> throws.
/// </remarks>
public sealed class RegionMemory
{
    private readonly SharedMemory _memory;

    internal RegionMemory(SharedMemory memory, MemoryArea[] areas)
    {
        _memory = memory;
        Areas = areas;
    }

    /// <summary>What of the region the client may map.</summary>
    public IReadOnlyList<MemoryArea> Areas { get; }

    internal SharedMemory Shared => _memory;

    /// <summary>Part of the memory.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="length">In bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">It reaches beyond the region.</exception>
    /// <exception cref="ObjectDisposedException">The device was disposed.</exception>
    public Span<byte> Span(ulong offset, int length) => _memory.Slice(offset, length);
}
