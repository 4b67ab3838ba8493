using System.Numerics;

namespace VfioUser;

/// <summary>A BAR whose size the guest can choose. Immutable.</summary>
/// <param name="bar">A memory BAR; its <see cref="Region.Size"/> is the largest size.</param>
/// <remarks>PCI Express 6.0 7.8.6.</remarks>
public sealed class ResizableBar(Bar bar)
{
    private const long Unit = 1 << 20;

    /// <summary>The BAR.</summary>
    public Bar Bar { get; } = bar ?? throw new ArgumentNullException(nameof(bar));

    /// <summary>The smallest size in bytes: a power of two from 1 MiB. By default 1 MiB.</summary>
    public long SmallestSize { get; init; } = Unit;

    /// <summary>The size in bytes after a reset. By default the largest.</summary>
    public long InitialSize { get; init; } = bar.Size;

    /// <summary>Called when the guest has chosen another size, in bytes; a reset and a restore do not call it.</summary>
    /// <remarks>Command thread.</remarks>
    public Action<long>? OnResize { get; init; }

    /// <summary>The size as the control register encodes it: 0 for 1 MiB.</summary>
    internal static int Encode(long size) => BitOperations.Log2((ulong)size) - BitOperations.Log2((ulong)Unit);

    internal static long Decode(int code) => Unit << code;

    internal void Check(PciDevice device)
    {
        if (Bar.Device != device)
            throw new ArgumentException($"BAR {Bar.Number} belongs to another device.");
        if (Bar.Kind == BarKind.Io || Bar.Size < Unit)
            throw new ArgumentException($"BAR {Bar.Number} cannot be resized: it has to be in memory space, with 1 MiB at least.");
        foreach (long size in (long[])[SmallestSize, InitialSize])
        {
            if (!BitOperations.IsPow2(size) || size < Unit || size > Bar.Size || size < SmallestSize)
                throw new ArgumentException($"BAR {Bar.Number} cannot have 0x{size:x} bytes: a power of two from 0x{SmallestSize:x} (1 MiB or more) to its own size 0x{Bar.Size:x}.");
        }
    }
}
