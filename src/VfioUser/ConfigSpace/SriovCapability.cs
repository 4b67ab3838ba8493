using System.Buffers.Binary;
using System.Numerics;

namespace VfioUser;

/// <summary>Single root I/O virtualization: the guest asks the device for virtual functions.</summary>
/// <remarks>
/// <para>Any thread. PCI Express 6.0 9.3.3.</para>
/// <para>One socket is one function, so a virtual function is a device of its own, which is served on a socket of its own from the
/// start, or once a handler of <see cref="AddCountHandler"/> is called. The client plugs it in: QEMU hides this capability from its
/// guest, and a virtual function is one more <c>-device vfio-user-pci</c> there.</para>
/// </remarks>
public sealed class SriovCapability : PciCapability
{
    internal const int Length = 0x40;

    // Offsets within the capability.
    private const int Control = 0x08;
    private const int InitialVfs = 0x0C;
    private const int TotalVfs = 0x0E;
    private const int NumVfs = 0x10;
    private const int FirstVfOffset = 0x14;
    private const int VfStride = 0x16;
    private const int VfDeviceId = 0x1A;
    private const int SupportedPageSizes = 0x1C;
    private const int SystemPageSize = 0x20;
    private const int VfBar0 = 0x24;

    private const ushort ControlWritable = 0x0009;
    private const byte VfEnable = 0x01;
    private const byte VfMemorySpaceEnable = 0x08;

    // 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB and 4 MiB, which every device must support; bit 0 is 4 KiB
    private const uint PageSizes = 0x553;
    private const int PageShift = 12;

    private readonly ConfigSpace _config;
    private readonly BarRegister[] _bars;
    private Action<int>? _changed;
    private uint _pageSize = 1; // as SystemPageSize, the last one that was valid
    private ushort _wanted; // NumVFs, as it was when the guest could change it
    private int _count;

    internal SriovCapability(ConfigSpace config, int offset, SriovOptions options)
        : base(PciRegister.ExtendedSingleRootIov, offset, Length)
    {
        _config = config;
        TotalCount = options.TotalVirtualFunctions;
        config.Define<ushort>(offset + Control, 0, writeMask: ControlWritable);
        config.Define(offset + InitialVfs, (ushort)TotalCount);
        config.Define(offset + TotalVfs, (ushort)TotalCount);
        config.Define<ushort>(offset + NumVfs, 0, writeMask: ushort.MaxValue);
        config.Define(offset + FirstVfOffset, (ushort)options.FirstOffset);
        config.Define(offset + VfStride, (ushort)options.Stride);
        config.Define(offset + VfDeviceId, options.DeviceId);
        config.Define(offset + SupportedPageSizes, PageSizes);
        config.Define(offset + SystemPageSize, _pageSize, writeMask: PageSizes);
        _bars = [.. options.Bars.Select(bar => new BarRegister(config, offset + VfBar0, bar))];
        SizeBars();

        // the guest writes NumVFs before it enables them, in one access or another
        config.Watch(offset + NumVfs, sizeof(ushort), (_, _) => CountWritten());
        config.Watch(offset + SystemPageSize, sizeof(uint), (_, _) => PageSizeWritten());
        config.Watch(offset + Control, 1, (_, _) => Update());
    }

    /// <summary>How many virtual functions the device can have.</summary>
    public int TotalCount { get; }

    /// <summary>How many virtual functions the guest has enabled; 0 to <see cref="TotalCount"/>.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Whether the guest has enabled the memory space of the virtual functions.</summary>
    public bool IsMemoryEnabled => (_config.ReadByte(Offset + Control) & VfMemorySpaceEnable) != 0;

    /// <summary>The address that the guest has assigned to a BAR of a virtual function; 0 before.</summary>
    /// <param name="function">From 0 to <see cref="TotalCount"/> - 1.</param>
    /// <param name="bar">The number of one of <see cref="SriovOptions.Bars"/>.</param>
    /// <exception cref="ArgumentException">There is no such function or BAR.</exception>
    public ulong BarAddress(int function, int bar)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(function);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(function, TotalCount);
        BarRegister register = Array.Find(_bars, it => it.Number == bar) ?? throw new ArgumentException($"The virtual functions have no BAR {bar}.", nameof(bar));
        ulong first = register.Address;
        return first == 0 ? 0 : first + ((ulong)function * (ulong)register.SizeFor(PageSize));
    }

    /// <summary>Adds a handler that is called when the number of virtual functions has changed: the guest has enabled or disabled them,
    /// or a reset or a restore has.</summary>
    /// <param name="handler">Gets their number, 0 for none. Runs on the Command thread: it must not wait for a device that it ends.
    /// Several handlers are called in the order in which they were added.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup.</remarks>
    public void AddCountHandler(Action<int> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (_config.IsSealed)
            throw new InvalidOperationException("The device is being served: add the handler in the device's constructor.");
        _changed += handler;
    }

    /// <summary>Applies the values of the registers, after a reset or a restore.</summary>
    internal void Refresh()
    {
        SetPageSize(_config.Read<uint>(Offset + SystemPageSize));
        _wanted = _config.Read<ushort>(Offset + NumVfs);
        Update();
    }

    /// <summary>Takes the page size of a saved configuration space, before the addresses of the BARs are restored.</summary>
    internal void Restore(ReadOnlySpan<byte> saved)
    {
        uint pageSize = BinaryPrimitives.ReadUInt32LittleEndian(saved[(Offset + SystemPageSize)..]);
        if (!IsPageSize(pageSize))
            throw new InvalidDataException($"The saved state has 0x{pageSize:x} in System Page Size.");
        SetPageSize(pageSize);
    }

    private static bool IsPageSize(uint pageSize) => BitOperations.IsPow2(pageSize) && (pageSize & PageSizes) != 0;

    private long PageSize => (long)_pageSize << PageShift;

    private bool IsEnabled => (_config.ReadByte(Offset + Control) & VfEnable) != 0;

    // while they are enabled a write has no effect
    private void CountWritten()
    {
        if (Count > 0 || IsEnabled)
        {
            _config.SetBits(Offset + NumVfs, 0xFF, (byte)_wanted);
            _config.SetBits(Offset + NumVfs + 1, 0xFF, (byte)(_wanted >> 8));
            return;
        }
        _wanted = _config.Read<ushort>(Offset + NumVfs);
    }

    private void PageSizeWritten()
    {
        uint pageSize = _config.Read<uint>(Offset + SystemPageSize);
        if (!IsPageSize(pageSize) || IsEnabled)
        {
            for (int i = 0; i < sizeof(uint); i++)
                _config.SetBits(Offset + SystemPageSize + i, 0xFF, (byte)(_pageSize >> (8 * i)));
            return;
        }
        SetPageSize(pageSize);
    }

    private void SetPageSize(uint pageSize)
    {
        if (pageSize == _pageSize)
            return;
        _pageSize = pageSize;
        SizeBars();
    }

    private void SizeBars()
    {
        foreach (BarRegister bar in _bars)
            bar.Size(PageSize);
    }

    private void Update()
    {
        int count = IsEnabled ? Math.Min(_wanted, TotalCount) : 0;
        if (count == _count)
            return;
        Volatile.Write(ref _count, count);
        _changed?.Invoke(count);
    }

    /// <summary>A VF BAR register: it holds the address of the first function's BAR, the others' follow it.</summary>
    private sealed class BarRegister(ConfigSpace config, int first, VirtualFunctionBar bar)
    {
        public int Number => bar.Number;

        public ulong Address
        {
            get
            {
                uint low = config.Read<uint>(Offset) & ~PciRegister.BarMemoryFlags;
                return Is64 ? ((ulong)config.Read<uint>(Offset + sizeof(uint)) << 32) | low : low;
            }
        }

        private int Offset => first + (bar.Number * sizeof(uint));

        private bool Is64 => ConfigSpace.Is64(bar.Kind);

        /// <summary>A function's BAR takes whole pages of the guest. PCI Express 6.0 9.3.3.13.</summary>
        public long SizeFor(long pageSize) => Math.Max(bar.Size, pageSize);

        /// <summary>Sets the bits that the guest can write, and clears the address.</summary>
        public void Size(long pageSize) => config.DefineBar(Offset, bar.Kind, SizeFor(pageSize));
    }
}
