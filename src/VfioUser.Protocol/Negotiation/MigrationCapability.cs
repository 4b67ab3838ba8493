using System.Numerics;

namespace VfioUser.Protocol;

/// <summary>The <c>migration</c> object: no longer specified, but QEMU 11.1, libvfio-user and the Rust crate send it.</summary>
/// <remarks>Immutable.</remarks>
public sealed record MigrationCapability
{
    private readonly ulong? _pageSize;

    /// <summary><c>pgsize</c>: bytes that one bit of a dirty bitmap stands for, a power of two; null if absent.</summary>
    public ulong? PageSize
    {
        get => _pageSize;
        init
        {
            if (value is { } size && !BitOperations.IsPow2(size))
                throw new ArgumentOutOfRangeException(nameof(value), size, "A page size is a power of two.");
            _pageSize = value;
        }
    }

    /// <summary><c>max_bitmap_size</c>: bytes of the largest dirty bitmap that the sender accepts; null if absent.</summary>
    public ulong? MaxBitmapSize { get; init; }
}
