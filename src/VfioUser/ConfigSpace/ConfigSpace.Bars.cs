using System.Numerics;

namespace VfioUser;

public sealed partial class ConfigSpace
{
    private readonly BarSlot?[] _bars = new BarSlot?[PciRegister.BarCount];

    private readonly record struct BarSlot(BarKind Kind, long Size, bool IsUpperHalf = false)
    {
        public bool Is64 => ConfigSpace.Is64(Kind);

        /// <summary>What the guest sees of it; a resizable BAR may be smaller than its region.</summary>
        public long Decoded { get; init; } = Size;
    }

    /// <summary>The address that the guest has assigned to a BAR.</summary>
    /// <param name="index">A declared BAR, 0 to 5; for a 64-bit one the lower of its two indices.</param>
    /// <returns>The base address without the type bits. 0 until the guest assigns one, and meaningless while
    /// the guest probes the size.</returns>
    /// <exception cref="ArgumentException">No BAR is declared at <paramref name="index"/>.</exception>
    /// <remarks>Any thread. The BAR decodes it only while <see cref="IsMemoryEnabled"/>, or <see cref="IsIoEnabled"/>. A 64-bit
    /// address is written in two halves. PCI 3.0 6.2.5.1.</remarks>
    public ulong BarAddress(int index)
    {
        BarSlot bar = DeclaredBar(index, nameof(index));
        uint low = Read<uint>(BarOffset(index));
        if (bar.Kind == BarKind.Io)
            return low & ~PciRegister.BarIoFlags;

        ulong high = bar.Is64 ? Read<uint>(BarOffset(index + 1)) : 0;
        return (high << 32) | (low & ~PciRegister.BarMemoryFlags);
    }

    /// <summary>Whether the guest has enabled the ROM; <see cref="IsMemoryEnabled"/> must be set as well.</summary>
    /// <remarks>Any thread. False without a ROM. PCI 3.0 6.2.5.2.</remarks>
    public bool IsRomEnabled => (ReadByte(PciRegister.ExpansionRom) & PciRegister.RomEnable) != 0;

    /// <summary>The address that the guest has assigned to the ROM; 0 without one.</summary>
    /// <remarks>Any thread. PCI 3.0 6.2.5.2.</remarks>
    public uint RomAddress => Read<uint>(PciRegister.ExpansionRom) & PciRegister.RomAddressMask;

    /// <summary>Declares a BAR: type bits and the address bits that a guest can write, from which it learns the size. Setup.</summary>
    internal void SetBar(int number, BarKind kind, long size)
    {
        ThrowIfSealed();
        var bar = new BarSlot(kind, size);
        CheckIndex(number, nameof(number));
        CheckSize(number, bar, nameof(size));
        CheckFree(number, bar);

        _bars[number] = bar;
        if (bar.Is64)
            _bars[number + 1] = bar with { IsUpperHalf = true };
        DefineBar(BarOffset(number), kind, size);
    }

    /// <summary>Gives a declared BAR another size, and no address. Command thread, or setup.</summary>
    internal void ResizeBar(int index, long size)
    {
        BarSlot bar = DeclaredBar(index, nameof(index));
        if (bar.Decoded == size)
            return;
        _bars[index] = bar with { Decoded = size };
        DefineBar(BarOffset(index), bar.Kind, size);
    }

    /// <summary>The size of a declared BAR as the guest sees it: the region's may be larger.</summary>
    internal long BarSize(int index) => DeclaredBar(index, nameof(index)).Decoded;

    internal static bool Is64(BarKind kind) => kind is BarKind.Memory64 or BarKind.Memory64Prefetchable;

    /// <summary>Sets the type bits of an address register, and the address bits that a guest can write; the address is 0.</summary>
    internal void DefineBar(int offset, BarKind kind, long size)
    {
        ulong mask = (ulong)-size;
        uint flags = kind switch
        {
            BarKind.Memory32 => 0,
            BarKind.Memory64 => PciRegister.BarMemory64,
            BarKind.Memory32Prefetchable => PciRegister.BarPrefetchable,
            BarKind.Memory64Prefetchable => PciRegister.BarMemory64 | PciRegister.BarPrefetchable,
            BarKind.Io => PciRegister.BarIoSpace,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Use a named BarKind."),
        };
        Define(offset, flags, writeMask: (uint)mask);
        if (Is64(kind))
            Define(offset + sizeof(uint), 0u, writeMask: (uint)(mask >> 32));
    }

    /// <summary>Declares the expansion ROM. Setup; a power of two, 2 KiB to 16 MiB. PCI 3.0 6.2.5.2.</summary>
    internal void SetRom(int size)
    {
        ThrowIfSealed();
        if (!BitOperations.IsPow2(size) || size is < 0x800 or > 0x100_0000)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size,
                $"A ROM of {size} bytes is not possible: its size is a power of two from 2 KiB to 16 MiB. Round it up.");
        }

        if (_writeMask[PciRegister.ExpansionRom] != 0)
            throw new InvalidOperationException("The device has a ROM already, and can have only one.");

        Define(PciRegister.ExpansionRom, 0u, writeMask: (uint)-size | PciRegister.RomEnable);
    }

    private static int BarOffset(int index) => PciRegister.Bar0 + (index * sizeof(uint));

    private static void CheckIndex(int index, string? parameter)
    {
        if (index is < 0 or >= PciRegister.BarCount)
            throw new ArgumentOutOfRangeException(parameter, index, "A device has BAR 0 to BAR 5.");
    }

    private static void CheckSize(int index, BarSlot bar, string parameter)
    {
        (long min, long max, string range) = bar.Kind switch
        {
            BarKind.Io => (4, 0x1_0000, "4 bytes to 64 KiB"),
            BarKind.Memory64 or BarKind.Memory64Prefetchable => (16, 1L << 62, "16 bytes to 4 EiB"),
            _ => (16, 1L << 31, "16 bytes to 2 GiB (beyond, use a 64-bit kind)"),
        };
        if (!BitOperations.IsPow2(bar.Size) || bar.Size < min || bar.Size > max)
        {
            throw new ArgumentException(
                $"BAR {index} cannot have 0x{bar.Size:X} bytes: one of kind {bar.Kind} has a power of two, from {range}.", parameter);
        }
    }

    private void CheckFree(int number, BarSlot bar)
    {
        if (bar.Is64 && number == PciRegister.BarCount - 1)
            throw new ArgumentException("A 64-bit BAR takes two registers: put it at 0 to 4.", nameof(number));

        for (int i = number; i <= number + (bar.Is64 ? 1 : 0); i++)
        {
            if (_bars[i] is not { } taken)
                continue;
            throw new ArgumentException(
                taken.IsUpperHalf
                    ? $"BAR {i} is the upper half of the 64-bit BAR {i - 1}: use another number."
                    : $"BAR {i} is declared already: use another number" +
                      (i > number ? $", since the 64-bit BAR {number} needs BAR {i} too." : "."),
                nameof(number));
        }
    }

    private BarSlot DeclaredBar(int index, string? parameter)
    {
        CheckIndex(index, parameter);
        if (_bars[index] is { IsUpperHalf: false } bar)
            return bar;
        throw new ArgumentException($"There is no BAR {index}: declare it first, with AddBar.", parameter);
    }
}
