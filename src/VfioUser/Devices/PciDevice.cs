namespace VfioUser;

/// <summary>A PCI device. Derive from it, declare in the constructor what the device has, and serve it.</summary>
/// <remarks>
/// <para>
/// <b>Setup</b>: call methods named Add in the constructor; they throw while the device is being served.
/// <b>Command thread</b>: methods named On, and handlers of regions and registers, run one at a time, in the guest's
/// order. <b>Any thread</b>: <see cref="Post"/>, <see cref="Dma"/>, <see cref="Irq.Trigger"/>, <see cref="Register{T}.Value"/>.
/// </para>
/// <para>The device's state outlives its clients: the next client finds it as it was, and usually resets it.</para>
/// </remarks>
public abstract partial class PciDevice
{
    private Region?[] _regions = new Region?[PciRegionCount];
    private readonly IrqVectors?[] _irqs = new IrqVectors?[PciIrqCount];

    internal const int PciRegionCount = (int)RegionIndex.Vga + 1;
    internal const int PciIrqCount = (int)IrqType.Request + 1;

    /// <summary>Creates a device without regions and interrupts.</summary>
    /// <param name="id">The IDs that drivers match.</param>
    /// <param name="deviceClass">The class code.</param>
    protected PciDevice(PciId id, PciClass deviceClass)
    {
        Id = id;
        Class = deviceClass;
        Config = new ConfigSpace(id, deviceClass, Unmodelled);
        Config.BusMasterChanged = ApplyBusMaster;
        CommandWork = new CommandWork(Activity);
    }

    /// <summary>The IDs that drivers match.</summary>
    public PciId Id { get; }

    /// <summary>The class code.</summary>
    public PciClass Class { get; }

    /// <summary>The configuration space: capabilities, and the guest's settings.</summary>
    public ConfigSpace Config { get; }

    /// <summary>Access to guest memory. Any thread; without a client every access fails.</summary>
    public Dma Dma { get; } = new();

    /// <summary>Adds a base address register.</summary>
    /// <param name="number">0 to 5; a 64-bit BAR takes the next number, too.</param>
    /// <param name="kind">Address space and width.</param>
    /// <param name="size">In bytes: a power of two, at least 16, or at least 4 for I/O space.</param>
    /// <param name="handler">Handles accesses outside registers and memory; null reads as zeros and ignores writes.</param>
    /// <param name="writable">False for a read-only BAR: writes are refused, and clients map its memory read-only.</param>
    /// <exception cref="ArgumentException">The number is in use, or the size is not valid.</exception>
    /// <remarks>Setup. PCI 3.0 6.2.5.1.</remarks>
    public Bar AddBar(int number, BarKind kind, long size, IRegionHandler? handler = null, bool writable = true)
    {
        ThrowIfServed();
        Config.SetBar(number, kind, size);
        Bar bar = new(this, number, kind, size, writable, handler);
        _regions[number] = bar;
        return bar;
    }

    /// <summary>Adds a base address register whose accesses two methods handle.</summary>
    /// <param name="number">0 to 5; a 64-bit BAR takes the next number, too.</param>
    /// <param name="kind">Address space and width.</param>
    /// <param name="size">In bytes: a power of two, at least 16, or at least 4 for I/O space.</param>
    /// <param name="read">Handles reads outside registers and memory.</param>
    /// <param name="write">Handles writes outside registers and memory.</param>
    /// <exception cref="ArgumentException">The number is in use, or the size is not valid.</exception>
    /// <remarks>Setup. As with an <see cref="IRegionHandler"/>, but the methods need not be public.</remarks>
    public Bar AddBar(int number, BarKind kind, long size, RegionRead read, RegionWrite write)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentNullException.ThrowIfNull(write);
        return AddBar(number, kind, size, new DelegateRegionHandler(read, write));
    }

    /// <summary>Adds an expansion ROM with the given content.</summary>
    /// <param name="image">The content; padded with 0xFF to a power of two of at least 2 KiB.</param>
    /// <remarks>Setup. PCI 3.0 6.2.5.2, 6.3.1.</remarks>
    public Region AddRom(ReadOnlySpan<byte> image) =>
        AddRom((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(image.Length, 2048)), new RomImage(image));

    /// <summary>Adds an expansion ROM whose content a handler provides.</summary>
    /// <param name="size">In bytes: a power of two, 2 KiB to 16 MiB.</param>
    /// <param name="handler">Handles reads. Its write method is never called.</param>
    /// <remarks>Setup. PCI 3.0 6.2.5.2, 6.3.1.</remarks>
    public Region AddRom(int size, IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfServed();
        Config.SetRom(size);
        Region rom = new(this, RegionIndex.Rom, size, writable: false, handler);
        _regions[(int)RegionIndex.Rom] = rom;
        return rom;
    }

    /// <summary>Adds the legacy VGA region: 0xC0000 bytes, with memory at 0xA0000 and I/O ports at 0x3B0 and 0x3C0.</summary>
    /// <remarks>Setup. Source: <c>linux/vfio.h</c>, VFIO_PCI_VGA_REGION_INDEX.</remarks>
    public Region AddVga(IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfServed();
        if (_regions[(int)RegionIndex.Vga] is not null)
            throw new InvalidOperationException("The device has a VGA region already.");
        Region vga = new(this, RegionIndex.Vga, 0xC0000, writable: true, handler);
        _regions[(int)RegionIndex.Vga] = vga;
        return vga;
    }

    /// <summary>Adds INTx, on pin INTA#.</summary>
    /// <remarks>Setup. PCI 3.0 6.2.4.</remarks>
    public Intx AddIntx()
    {
        Intx intx = new(Config);
        AddIrqs(new IrqVectors(IrqType.Intx, intx));
        Config.SetInterruptPin(1);
        Config.CommandWritten += intx.CommandWritten;
        return intx;
    }

    /// <summary>Adds MSI. For MSI-X see <see cref="Bar.AddMsiX(long, int, long?)"/>.</summary>
    /// <param name="vectors">A power of two up to 32; the guest may enable fewer.</param>
    /// <param name="perVectorMask">Whether the guest can mask single vectors.</param>
    /// <param name="capabilityOffset">Offset of the capability in configuration space; null for the first free one.</param>
    /// <remarks>Setup. PCI 3.0 6.8.1.</remarks>
    public IrqVectors AddMsi(int vectors, bool perVectorMask = false, int? capabilityOffset = null)
    {
        ThrowIfServed();
        return AddIrqs(IrqVectors.Of(Config.AddMsi(vectors, perVectorMask, capabilityOffset)));
    }

    /// <summary>Adds interrupts of which the driver chooses the kind: MSI-X, MSI or INTx.</summary>
    /// <exception cref="ArgumentException">There would be no interrupt at all, or the MSI-X table does not fit.</exception>
    /// <exception cref="InvalidOperationException">The device has interrupts of one of these kinds already, or is being served.</exception>
    /// <remarks>Setup. In place of <see cref="AddIntx"/>, <see cref="AddMsi(int, bool, int?)"/> and <see cref="Bar.AddMsiX(long, int, long?)"/>.</remarks>
    public DeviceInterrupts AddInterrupts(DeviceInterruptOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ThrowIfServed();
        return new DeviceInterrupts(this, options);
    }

    /// <summary>Adds the error interrupt, which reports an unrecoverable error to the client.</summary>
    /// <remarks>Setup. QEMU stops the machine then.</remarks>
    public Irq AddErrorIrq() => AddIrqs(new IrqVectors(IrqType.Error, new Irq(IrqType.Error, 0)))[0];

    /// <summary>Adds the request interrupt, which asks the client to release the device, usually by unplugging it.</summary>
    /// <remarks>Setup.</remarks>
    public Irq AddRequestIrq() => AddIrqs(new IrqVectors(IrqType.Request, new RequestIrq()))[0];

    /// <summary>Called when a client has attached. It has not mapped memory or set interrupts yet.</summary>
    protected virtual void OnAttached()
    {
    }

    /// <summary>Called when the client has disconnected: no memory is mapped, and no interrupt is delivered.</summary>
    protected virtual void OnDetached()
    {
    }

    /// <summary>Called to reset the device. Registers and configuration space have their initial values again.</summary>
    /// <param name="reason">The kind of reset.</param>
    protected virtual void OnReset(ResetReason reason)
    {
    }

    /// <summary>Called when the client has mapped a DMA region.</summary>
    protected virtual void OnDmaMapped(DmaRegion region)
    {
    }

    /// <summary>Called when the client unmaps a DMA region. New accesses fail already; the reply to the client waits for
    /// accesses in progress and for leases: dispose those soon.</summary>
    /// <remarks>The device is quiesced, unless the memory is accessed by message.</remarks>
    protected virtual void OnDmaUnmapping(DmaRegion region)
    {
    }

    private sealed class RomImage(ReadOnlySpan<byte> image) : IRegionHandler
    {
        private readonly byte[] _image = image.ToArray();

        public void Read(long offset, Span<byte> destination)
        {
            destination.Fill(0xFF);
            if (offset < _image.Length)
            {
                ReadOnlySpan<byte> rest = _image.AsSpan((int)offset);
                rest[..Math.Min(rest.Length, destination.Length)].CopyTo(destination);
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            // read-only
        }
    }
}
