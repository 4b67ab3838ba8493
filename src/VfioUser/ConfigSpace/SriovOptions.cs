using System.Numerics;

namespace VfioUser;

/// <summary>Options for single root I/O virtualization. Immutable.</summary>
public sealed record SriovOptions
{
    /// <summary>Virtual functions that the device can have: 1 to 65535.</summary>
    public required int TotalVirtualFunctions { get; init; }

    /// <summary>The Device ID of the virtual functions; their vendor is the device's.</summary>
    public required ushort DeviceId { get; init; }

    /// <summary>Routing ID of the first virtual function, relative to that of the device: 1 to 65535.</summary>
    public int FirstOffset { get; init; } = 1;

    /// <summary>Routing IDs from one virtual function to the next: 1 to 65535.</summary>
    public int Stride { get; init; } = 1;

    /// <summary>The BARs that each virtual function has, in memory space, of a page at least.</summary>
    public IReadOnlyList<VirtualFunctionBar> Bars { get; init; } = [];

    internal void Check()
    {
        const string Range = "1 to 65535";
        if (TotalVirtualFunctions is < 1 or > ushort.MaxValue || FirstOffset is < 1 or > ushort.MaxValue || Stride is < 1 or > ushort.MaxValue)
            throw new ArgumentException($"TotalVirtualFunctions {TotalVirtualFunctions}, FirstOffset {FirstOffset} and Stride {Stride} are each {Range}.");
        HashSet<int> taken = [];
        foreach (VirtualFunctionBar bar in Bars)
            bar.Check(taken);
    }
}

/// <summary>A BAR of virtual functions. Immutable.</summary>
/// <param name="number">0 to 5; a 64-bit one takes the next number, too.</param>
/// <param name="kind">Width and prefetchability; not I/O space.</param>
/// <param name="size">In bytes, of one virtual function: a power of two from 4096.</param>
public sealed class VirtualFunctionBar(int number, BarKind kind, long size)
{
    /// <summary>0 to 5.</summary>
    public int Number { get; } = number;

    /// <summary>Width and prefetchability.</summary>
    public BarKind Kind { get; } = kind;

    /// <summary>In bytes, of one virtual function.</summary>
    public long Size { get; } = size;

    internal void Check(HashSet<int> taken)
    {
        bool is64 = ConfigSpace.Is64(Kind);
        if (!Enum.IsDefined(Kind) || Kind == BarKind.Io || !BitOperations.IsPow2(Size) || Size < 4096 || (!is64 && Size > 1L << 31))
            throw new ArgumentException($"BAR {Number} of virtual functions has a power of two of bytes from 4096, in memory space.");
        if (Number < 0 || Number + (is64 ? 1 : 0) >= PciRegister.BarCount || !taken.Add(Number) || (is64 && !taken.Add(Number + 1)))
            throw new ArgumentException($"BAR {Number} of virtual functions does not fit, or is taken.");
    }
}
