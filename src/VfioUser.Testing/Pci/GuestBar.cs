using System.Globalization;

namespace VfioUser.Testing;

/// <summary>A base address register, or the ROM's, as the guest measured and placed it. Immutable.</summary>
public sealed class GuestBar
{
    internal GuestBar(GuestRegion region, BarKind kind, ulong size, ulong address)
    {
        Region = region;
        Kind = kind;
        Size = size;
        Address = address;
    }

    /// <summary>Which one; of a 64-bit one the lower of its two.</summary>
    public PciRegion Index => Region.Index;

    /// <summary>Address space, width and prefetchability. The ROM is 32-bit memory.</summary>
    public BarKind Kind { get; }

    /// <summary>In bytes.</summary>
    public ulong Size { get; }

    /// <summary>Where the guest has put it; a multiple of its size.</summary>
    public ulong Address { get; }

    /// <summary>Through which it is accessed.</summary>
    public GuestRegion Region { get; }

    /// <summary>As in a boot log.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}: {Kind} 0x{Address:x}, size 0x{Size:x}");
}
