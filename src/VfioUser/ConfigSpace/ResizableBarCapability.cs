namespace VfioUser;

/// <summary>Resizable BARs: the guest chooses how much of its address space each of them takes.</summary>
/// <remarks>
/// Any thread. The regions keep their size, which clients learn once: a smaller BAR shows the guest the start of its region.
/// PCI Express 6.0 7.8.6.
/// </remarks>
public sealed class ResizableBarCapability : PciCapability
{
    internal const int HeaderSize = 4;
    internal const int EntrySize = 8;

    // Offsets within an entry.
    private const int Sizes = 0;
    private const int Control = 4;
    private const int ControlSize = 5; // the byte of the control register that has the size

    private const int SizesShift = 4;
    private const int SizesInCapability = 28; // 1 MiB to 128 TiB; larger ones are in the control register
    private const int CountShift = 5;
    private const byte SizeMask = 0x3F;

    private readonly ConfigSpace _config;
    private readonly ResizableBar[] _bars;

    internal ResizableBarCapability(ConfigSpace config, int offset, ResizableBar[] bars)
        : base(PciRegister.ExtendedResizableBar, offset, HeaderSize + (bars.Length * EntrySize))
    {
        _config = config;
        _bars = bars;
        for (int i = 0; i < bars.Length; i++)
        {
            ulong sizes = SizesOf(bars[i]);
            uint control = (uint)(bars[i].Bar.Number | (i == 0 ? bars.Length << CountShift : 0) | (ResizableBar.Encode(bars[i].InitialSize) << 8));
            config.Define(EntryAt(i) + Sizes, (uint)(sizes << SizesShift));
            config.Define(EntryAt(i) + Control, control | (uint)(sizes >> SizesInCapability << 16), writeMask: (uint)SizeMask << 8);
            config.ResizeBar(bars[i].Bar.Number, bars[i].InitialSize);
            int entry = i;
            config.Watch(EntryAt(i) + ControlSize, 1, (_, _) => Written(entry));
        }
    }

    /// <summary>The size that the guest has chosen for a BAR, in bytes.</summary>
    /// <exception cref="ArgumentException">It is none of the resizable ones.</exception>
    public long SizeOf(Bar bar)
    {
        int entry = Array.FindIndex(_bars, resizable => resizable.Bar == bar);
        return entry >= 0 ? Chosen(entry) : throw new ArgumentException("The BAR is none of the resizable ones.", nameof(bar));
    }

    /// <summary>Gives the BARs the sizes in the control registers, after a reset or a restore.</summary>
    internal void ApplySizes()
    {
        for (int i = 0; i < _bars.Length; i++)
            _config.ResizeBar(_bars[i].Bar.Number, Chosen(i));
    }

    /// <summary>Takes the sizes of a saved configuration space, before the addresses of the BARs are restored.</summary>
    internal void Restore(ReadOnlySpan<byte> saved)
    {
        for (int i = 0; i < _bars.Length; i++)
        {
            int size = saved[EntryAt(i) + ControlSize] & SizeMask;
            if (!IsSupported(_bars[i], size))
                throw new InvalidDataException($"The saved state gives {_bars[i].Bar.Index} a size that it cannot have.");
            _config.SetBits(EntryAt(i) + ControlSize, SizeMask, (byte)size);
        }
        ApplySizes();
    }

    private static ulong SizesOf(ResizableBar bar)
    {
        ulong sizes = 0;
        for (long size = bar.SmallestSize; size <= bar.Bar.Size && size > 0; size <<= 1)
            sizes |= 1ul << ResizableBar.Encode(size);
        return sizes;
    }

    private static bool IsSupported(ResizableBar bar, int code) => (SizesOf(bar) >> code & 1) != 0;

    private int EntryAt(int index) => Offset + HeaderSize + (index * EntrySize);

    private long Chosen(int entry) => ResizableBar.Decode(_config.ReadByte(EntryAt(entry) + ControlSize) & SizeMask);

    private void Written(int entry)
    {
        ResizableBar bar = _bars[entry];
        int code = _config.ReadByte(EntryAt(entry) + ControlSize) & SizeMask;
        long before = _config.BarSize(bar.Bar.Number);
        if (!IsSupported(bar, code))
        {
            // the effect of an unsupported size is undefined; here it has none
            _config.SetBits(EntryAt(entry) + ControlSize, SizeMask, (byte)ResizableBar.Encode(before));
            return;
        }
        if (ResizableBar.Decode(code) == before)
            return;
        _config.ResizeBar(bar.Bar.Number, ResizableBar.Decode(code));
        bar.OnResize?.Invoke(ResizableBar.Decode(code));
    }
}
