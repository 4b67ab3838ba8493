using System.Globalization;

namespace VfioUser.Testing;

/// <summary>A BAR or the expansion ROM, as the guest sized and placed it. Immutable.</summary>
public sealed class GuestBar
{
    internal GuestBar(GuestRegion region, BarKind kind, long size, ulong address)
    {
        Region = region;
        Kind = kind;
        Size = size;
        Address = address;
    }

    /// <summary>Its index; the lower of the two of a 64-bit BAR.</summary>
    public RegionIndex Index => Region.Index;

    /// <summary>Address space, width and prefetchability. The ROM is 32-bit memory.</summary>
    public BarKind Kind { get; }

    /// <summary>In bytes.</summary>
    public long Size { get; }

    /// <summary>The address that the guest has assigned; a multiple of its size.</summary>
    public ulong Address { get; }

    /// <summary>The region through which it is accessed.</summary>
    public GuestRegion Region { get; }

    /// <summary>As in a boot log.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}: {Kind} 0x{Address:x}, size 0x{Size:x}");
}
