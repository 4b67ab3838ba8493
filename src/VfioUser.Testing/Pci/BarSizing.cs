using System.Globalization;
using System.Numerics;

namespace VfioUser.Testing;

/// <summary>Sizes BARs by writing all ones to them, as Linux's pci_read_bases does, and assigns addresses to those without.</summary>
internal sealed class BarSizing(TestGuest guest)
{
    private const int Bars = 6;
    private const uint IoSpace = 0x1;
    private const uint MemoryTypeMask = 0x6;
    private const uint Memory64 = 0x4;
    private const uint Prefetchable = 0x8;
    private const uint RomAddress = 0xFFFF_F800;
    private const uint RomEnable = 0x1;

    // the address windows of a q35 machine
    private readonly Window _io = new(0x1000, uint.MaxValue);
    private readonly Window _memory32 = new(0x8000_0000, uint.MaxValue);
    private readonly Window _memory64 = new(0x80_0000_0000, ulong.MaxValue);

    private readonly record struct Measured(RegionIndex Index, BarKind Kind, long Size, ulong Address);

    /// <summary>Sizes and places the BARs, and the ROM if there is one.</summary>
    public (List<GuestBar> Bars, GuestBar? Rom) Run()
    {
        List<Measured> measured = [];
        ushort command = guest.Config.Read<ushort>(ConfigRegister.Command);
        ushort decoding = (ushort)(command & (ConfigRegister.CommandIoSpace | ConfigRegister.CommandMemorySpace));
        // a BAR that is being sized must not decode the address that is written
        if (decoding != 0)
            guest.Config.Write(ConfigRegister.Command, (ushort)(command & ~decoding));
        for (int index = 0; index < Bars; index++)
        {
            Measured? bar = Measure(index);
            CheckRegion((RegionIndex)index, bar?.Size ?? 0);
            if (bar is null)
                continue;
            measured.Add(bar.Value);
            if (IsWide(bar.Value.Kind))
                CheckRegion((RegionIndex)(++index), 0);
        }
        Measured? rom = MeasureRom();
        CheckRegion(RegionIndex.Rom, rom?.Size ?? 0);
        // the largest first, so that alignment leaves no gaps
        Dictionary<RegionIndex, GuestBar> placed = measured.Concat(rom is { } it ? [it] : Array.Empty<Measured>())
            .OrderByDescending(bar => bar.Size).ToDictionary(bar => bar.Index, Place);
        if (decoding != 0)
            guest.Config.Write(ConfigRegister.Command, command);
        return ([.. measured.Select(bar => placed[bar.Index])], placed.GetValueOrDefault(RegionIndex.Rom));
    }

    private Measured? Measure(int index)
    {
        (uint old, uint ones) = WriteOnes(OffsetOf(index), uint.MaxValue);
        if (ones is 0 or uint.MaxValue)
            return null;
        if ((ones & IoSpace) != 0)
        {
            // the upper half may be hardwired to zero
            uint mask = ones & ~0x3u;
            return new Measured((RegionIndex)index, BarKind.Io, SizeOf(index, (mask & 0xFFFF_0000) == 0 ? mask | 0xFFFF_0000 : mask, 32), old & ~0x3u);
        }
        bool prefetchable = (ones & Prefetchable) != 0;
        switch (ones & MemoryTypeMask)
        {
            case 0:
                return new Measured((RegionIndex)index, prefetchable ? BarKind.Memory32Prefetchable : BarKind.Memory32,
                    SizeOf(index, ones & ~0xFu, 32), old & ~0xFu);
            case Memory64 when index < Bars - 1:
                (uint oldHigh, uint onesHigh) = WriteOnes(OffsetOf(index + 1), uint.MaxValue);
                return new Measured((RegionIndex)index, prefetchable ? BarKind.Memory64Prefetchable : BarKind.Memory64,
                    SizeOf(index, (ulong)onesHigh << 32 | (ones & ~0xFu), 64), (ulong)oldHigh << 32 | (old & ~0xFu));
            default:
                throw Failure($"BAR {index} reads 0x{ones:x8} after all ones were written: its type bits are reserved, or it is 64-bit and the last.");
        }
    }

    private Measured? MeasureRom()
    {
        (uint old, uint ones) = WriteOnes(ConfigRegister.ExpansionRom, RomAddress);
        return ones is 0 or uint.MaxValue ? null
            : new Measured(RegionIndex.Rom, BarKind.Memory32, SizeOf((int)RegionIndex.Rom, ones & RomAddress, 32), old & RomAddress);
    }

    private (uint Old, uint Ones) WriteOnes(int offset, uint ones)
    {
        uint old = guest.Config.Read<uint>(offset);
        guest.Config.Write(offset, ones);
        uint read = guest.Config.Read<uint>(offset);
        guest.Config.Write(offset, old);
        return (old, read);
    }

    private static long SizeOf(int index, ulong mask, int bits)
    {
        ulong size = mask & (0 - mask);
        ulong top = bits == 64 ? 0 : 1ul << bits;
        return mask != 0 && unchecked(mask + size) == top && size <= long.MaxValue ? (long)size
            : throw Failure($"The writable address bits of {(RegionIndex)index} are 0x{mask:x}: they must be all from one bit on.");
    }

    private void CheckRegion(RegionIndex index, long size)
    {
        long declared = guest.Region(index).GetSize();
        if (declared != size)
            throw Failure($"{index} measures 0x{size:x} bytes in configuration space, but its region has 0x{declared:x}.");
    }

    private GuestBar Place(Measured bar)
    {
        Window window = bar.Kind == BarKind.Io ? _io : IsWide(bar.Kind) ? _memory64 : _memory32;
        ulong address = bar.Address;
        if (address == 0)
        {
            address = window.Take(bar.Size) ?? throw Failure($"There is no room for {bar.Index} with 0x{bar.Size:x} bytes of {bar.Kind}.");
            Write(bar, address);
        }
        if (Read(bar) is var read && read != address)
            throw Failure($"{bar.Index} was given the address 0x{address:x} and reads 0x{read:x}.");
        return new GuestBar(guest.Region(bar.Index), bar.Kind, bar.Size, address);
    }

    private void Write(Measured bar, ulong address)
    {
        int offset = OffsetOf(bar.Index);
        uint enable = bar.Index == RegionIndex.Rom ? guest.Config.Read<uint>(offset) & RomEnable : 0;
        guest.Config.Write(offset, (uint)address | enable);
        if (IsWide(bar.Kind))
            guest.Config.Write(offset + sizeof(uint), (uint)(address >> 32));
    }

    private ulong Read(Measured bar)
    {
        int offset = OffsetOf(bar.Index);
        uint low = guest.Config.Read<uint>(offset) & (bar.Index == RegionIndex.Rom ? RomAddress : bar.Kind == BarKind.Io ? ~0x3u : ~0xFu);
        return IsWide(bar.Kind) ? (ulong)guest.Config.Read<uint>(offset + sizeof(uint)) << 32 | low : low;
    }

    private static int OffsetOf(int index) => ConfigRegister.Bar0 + index * sizeof(uint);

    private static int OffsetOf(RegionIndex index) => index == RegionIndex.Rom ? ConfigRegister.ExpansionRom : OffsetOf((int)index);

    private static bool IsWide(BarKind kind) => kind is BarKind.Memory64 or BarKind.Memory64Prefetchable;

    private static TestGuestException Failure(FormattableString text) => new(text.ToString(CultureInfo.InvariantCulture));

    private sealed class Window(ulong next, ulong last)
    {
        private UInt128 _next = next;

        public ulong? Take(long length)
        {
            UInt128 size = (UInt128)length;
            UInt128 address = (_next + size - 1) / size * size;
            if (address + size - 1 > last || !BitOperations.IsPow2(length))
                return null;
            _next = address + size;
            return (ulong)address;
        }
    }
}
