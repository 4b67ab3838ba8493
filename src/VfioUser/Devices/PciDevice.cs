namespace VfioUser;

/// <summary>A PCI device. Derive from it, declare in the constructor what the device has, and serve it.</summary>
/// <remarks>
/// <para>
/// <b>Setup</b>: everything named Add belongs into the constructor. Once the device is served it throws.
/// <b>Command thread</b>: everything named On, the handlers of regions and registers: one at a time, in the guest's
/// order. <b>Any thread</b>: <see cref="Post"/>, <see cref="Dma"/>, <see cref="Irq.Trigger"/>, <see cref="Register{T}.Value"/>.
/// </para>
/// <para>The device's state outlives its clients: when one has gone the next one finds it as it was, and usually resets it.</para>
/// </remarks>
public abstract partial class PciDevice
{
    private Region?[] _regions = new Region?[PciRegionCount];
    private readonly IrqVectors?[] _irqs = new IrqVectors?[PciIrqCount];

    internal const int PciRegionCount = (int)PciRegion.Vga + 1;
    internal const int PciIrqCount = (int)PciIrq.Request + 1;

    /// <summary>A device with nothing but an identity.</summary>
    /// <param name="id">What the driver looks for.</param>
    /// <param name="deviceClass">What the device is good for.</param>
    protected PciDevice(PciId id, PciClass deviceClass)
    {
        Id = id;
        Class = deviceClass;
        Config = new ConfigSpace(id, deviceClass, Unmodelled);
        CommandWork = new CommandWork(Activity);
    }

    /// <summary>What the driver looks for.</summary>
    public PciId Id { get; }

    /// <summary>What the device is good for.</summary>
    public PciClass Class { get; }

    /// <summary>The configuration space: capabilities, and what the guest set.</summary>
    public ConfigSpace Config { get; }

    /// <summary>The way into guest memory. Any thread; without a client every access fails.</summary>
    public Dma Dma { get; } = new();

    /// <summary>Adds a base address register.</summary>
    /// <param name="number">0 to 5; a 64-bit one takes the next number too.</param>
    /// <param name="kind">Address space and width.</param>
    /// <param name="size">In bytes: a power of two, from 16, or from 4 for ports.</param>
    /// <param name="handler">Answers what is neither register nor memory; null reads as zeros and ignores writes.</param>
    /// <param name="writable">False for one that the guest only reads: a write is refused, and clients map its memory for reading.</param>
    /// <exception cref="ArgumentException">The number is taken, or the size is none.</exception>
    /// <remarks>Setup. PCI 3.0 6.2.5.1.</remarks>
    protected Bar AddBar(int number, BarKind kind, ulong size, IRegionHandler? handler = null, bool writable = true)
    {
        ThrowIfServed();
        Config.SetBar(number, kind, size);
        Bar bar = new(this, number, kind, size, writable, handler);
        _regions[number] = bar;
        return bar;
    }

    /// <summary>Adds an expansion ROM with the given content.</summary>
    /// <param name="image">What firmware finds there; padded with ones to a power of two of at least 2 KiB.</param>
    /// <remarks>Setup. PCI 3.0 6.2.5.2, 6.3.1.</remarks>
    protected Region AddRom(ReadOnlySpan<byte> image) =>
        AddRom(System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(image.Length, 2048)), new RomImage(image));

    /// <summary>Adds an expansion ROM whose content a handler gives.</summary>
    /// <param name="size">In bytes: a power of two, 2 KiB to 16 MiB.</param>
    /// <param name="handler">Answers reads. It is never written to.</param>
    /// <remarks>Setup. PCI 3.0 6.2.5.2, 6.3.1.</remarks>
    protected Region AddRom(uint size, IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfServed();
        Config.SetRom(size);
        Region rom = new(this, PciRegion.Rom, size, writable: false, handler);
        _regions[(int)PciRegion.Rom] = rom;
        return rom;
    }

    /// <summary>Adds the legacy VGA region: 0xC0000 bytes, of which memory is at 0xA0000 and ports are at 0x3B0 and 0x3C0.</summary>
    /// <remarks>Setup. Source: <c>linux/vfio.h</c>, VFIO_PCI_VGA_REGION_INDEX.</remarks>
    protected Region AddVga(IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfServed();
        if (_regions[(int)PciRegion.Vga] is not null)
            throw new InvalidOperationException("The device has a VGA region already.");
        Region vga = new(this, PciRegion.Vga, 0xC0000, writable: true, handler);
        _regions[(int)PciRegion.Vga] = vga;
        return vga;
    }

    /// <summary>Gives the device an interrupt pin.</summary>
    /// <remarks>Setup. PCI 3.0 6.2.4.</remarks>
    protected Intx AddIntx()
    {
        Intx intx = new(Config);
        AddIrqs(new IrqVectors(PciIrq.Intx, intx));
        Config.SetInterruptPin(1);
        Config.CommandWritten += intx.CommandWritten;
        return intx;
    }

    /// <summary>Gives the device message signalled interrupts. For MSI-X see <see cref="Bar.AddMsiX(uint, int, uint?)"/>.</summary>
    /// <param name="vectors">A power of two up to 32; the guest may enable fewer.</param>
    /// <param name="perVectorMask">Whether the guest can mask each by itself.</param>
    /// <param name="capabilityOffset">Of the capability in the configuration space; null for the first place that is free.</param>
    /// <remarks>Setup. PCI 3.0 6.8.1.</remarks>
    protected IrqVectors AddMsi(int vectors, bool perVectorMask = false, int? capabilityOffset = null)
    {
        ThrowIfServed();
        return AddIrqs(IrqVectors.Of(Config.AddMsi(vectors, perVectorMask, capabilityOffset)));
    }

    /// <summary>Gives the device a way to tell the client that it has failed beyond repair.</summary>
    /// <remarks>Setup. QEMU stops the machine then.</remarks>
    protected Irq AddErrorIrq() => AddIrqs(new IrqVectors(PciIrq.Error, new Irq(PciIrq.Error, 0)))[0];

    /// <summary>Gives the device a way to ask the client to give it back, which the client answers by unplugging it.</summary>
    /// <remarks>Setup.</remarks>
    protected Irq AddRequestIrq() => AddIrqs(new IrqVectors(PciIrq.Request, new Irq(PciIrq.Request, 0)))[0];

    /// <summary>A client has connected and negotiated. It has not mapped memory nor set interrupts yet.</summary>
    protected virtual void OnAttached()
    {
    }

    /// <summary>The client has gone: no memory is mapped any more, no interrupt arrives anywhere.</summary>
    protected virtual void OnDetached()
    {
    }

    /// <summary>The device is reset. Registers and configuration space have their initial values again.</summary>
    /// <param name="reason">Who asked for it.</param>
    protected virtual void OnReset(ResetReason reason)
    {
    }

    /// <summary>The client has opened a stretch of guest memory.</summary>
    protected virtual void OnDmaMapped(DmaRegion region)
    {
    }

    /// <summary>The client closes a stretch of guest memory. New accesses fail already; the client's answer waits for
    /// those under way and for leases: give them back soon.</summary>
    protected virtual void OnDmaUnmapping(DmaRegion region)
    {
    }

    private sealed class RomImage(ReadOnlySpan<byte> image) : IRegionHandler
    {
        private readonly byte[] _image = image.ToArray();

        public void Read(ulong offset, Span<byte> destination)
        {
            destination.Fill(0xFF);
            if (offset < (ulong)_image.Length)
            {
                ReadOnlySpan<byte> rest = _image.AsSpan((int)offset);
                rest[..Math.Min(rest.Length, destination.Length)].CopyTo(destination);
            }
        }

        public void Write(ulong offset, ReadOnlySpan<byte> source)
        {
            // it is a ROM
        }
    }
}
