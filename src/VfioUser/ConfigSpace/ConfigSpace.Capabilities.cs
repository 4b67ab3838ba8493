using System.Numerics;

namespace VfioUser;

public sealed partial class ConfigSpace
{
    /// <summary>The power management capability, if there is one.</summary>
    /// <remarks>Any thread.</remarks>
    public PowerManagementCapability? PowerManagement { get; private set; }

    /// <summary>The MSI capability, if there is one.</summary>
    /// <remarks>Any thread.</remarks>
    public MsiCapability? Msi { get; private set; }

    /// <summary>The MSI-X capability, if there is one.</summary>
    /// <remarks>Any thread.</remarks>
    public MsiXCapability? MsiX { get; private set; }

    /// <summary>The PCI Express capability, if there is one.</summary>
    /// <remarks>Any thread.</remarks>
    public PciExpressCapability? PciExpress { get; private set; }

    /// <summary>Adds power management: a guest moves the device between D0 and D3hot.</summary>
    /// <param name="options">Optional features; null for D0 and D3hot without PME.</param>
    /// <param name="offset">Multiple of 4 in 0x40 to 0xF8; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or the options contradict each other.</exception>
    /// <exception cref="InvalidOperationException">There is one already, no offset is free, or the device is being served.</exception>
    /// <remarks>Setup. 8 bytes. PCI Power Management 1.2, 3.2.</remarks>
    public PowerManagementCapability AddPowerManagement(PowerManagementOptions? options = null, int? offset = null)
    {
        RefuseSecond(PowerManagement, "power management");
        options ??= new PowerManagementOptions();
        options.Check(nameof(options));
        int at = Place(
            PciRegister.CapabilityPowerManagement, PowerManagementCapability.Length, offset, "the power management capability");
        return PowerManagement = new PowerManagementCapability(this, at, options);
    }

    /// <summary>Adds MSI with 64-bit addresses.</summary>
    /// <param name="vectors">How many the device can use: 1, 2, 4, 8, 16 or 32. The guest may allot fewer.</param>
    /// <param name="perVectorMask">Whether a guest can mask each vector; costs 8 bytes.</param>
    /// <param name="capabilityOffset">Multiple of 4 from 0x40; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or so is the number of vectors.</exception>
    /// <exception cref="InvalidOperationException">There is one already, no offset is free, or the device is being served.</exception>
    /// <remarks>Setup. 16 or 24 bytes. PCI 3.0 6.8.1.</remarks>
    internal MsiCapability AddMsi(int vectors = 1, bool perVectorMask = false, int? capabilityOffset = null)
    {
        RefuseSecond(Msi, "MSI");
        if (!BitOperations.IsPow2(vectors) || vectors > MsiCapability.MaxVectors)
        {
            throw new ArgumentOutOfRangeException(nameof(vectors), vectors,
                "MSI has 1, 2, 4, 8, 16 or 32 vectors: round up, or use MSI-X for more.");
        }

        int at = Place(PciRegister.CapabilityMsi, MsiCapability.Length(perVectorMask), capabilityOffset, "the MSI capability", nameof(capabilityOffset));
        return Msi = new MsiCapability(this, at, vectors, perVectorMask);
    }

    /// <summary>Adds the MSI-X capability. It only points to the table, which is in a BAR.</summary>
    /// <param name="vectors">Entries of the table, 1 to 2048.</param>
    /// <param name="tableBar">Declared memory BAR that holds the table, 16 bytes an entry.</param>
    /// <param name="tableOffset">Multiple of 8, in bytes.</param>
    /// <param name="pbaBar">Declared memory BAR that holds the pending bits, 8 bytes for each 64 vectors.</param>
    /// <param name="pbaOffset">Multiple of 8, in bytes.</param>
    /// <param name="capabilityOffset">Multiple of 4 from 0x40 to 0xF4; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or the table or the pending bits do not fit.</exception>
    /// <exception cref="InvalidOperationException">There is one already, no offset is free, or the device is being served.</exception>
    /// <remarks>Setup. 12 bytes. Messages name no parameter: authors write those of <see cref="Bar.AddMsiX(long, int, long?)"/> or of
    /// <see cref="MsiXOptions"/>. PCI 3.0 6.8.2.</remarks>
    internal MsiXCapability AddMsiX(
        int vectors, int tableBar, long tableOffset, int pbaBar, long pbaOffset, int? capabilityOffset = null)
    {
        RefuseSecond(MsiX, "MSI-X");
        if (vectors is < 1 or > MsiXCapability.MaxVectors)
            throw new ArgumentOutOfRangeException(nameof(vectors), vectors, "MSI-X has 1 to 2048 vectors.");

        long tableSize = MsiXCapability.TableSize(vectors), pbaSize = MsiXCapability.PbaSize(vectors);
        CheckInBar(tableBar, tableOffset, tableSize, "MSI-X table");
        CheckInBar(pbaBar, pbaOffset, pbaSize, "MSI-X pending bit array");
        if (tableBar == pbaBar && tableOffset < pbaOffset + pbaSize && pbaOffset < tableOffset + tableSize)
        {
            throw new ArgumentException(
                $"The MSI-X table has 0x{tableSize:X} bytes at 0x{tableOffset:X} and overlaps the pending bits at " +
                $"0x{pbaOffset:X}: move one of them.");
        }

        int at = Place(PciRegister.CapabilityMsiX, MsiXCapability.Length, capabilityOffset, "the MSI-X capability", parameter: null);
        return MsiX = new MsiXCapability(
            this, at, vectors, (uint)tableOffset | (uint)tableBar, (uint)pbaOffset | (uint)pbaBar);
    }

    /// <summary>Makes this a PCI Express device, with 4096 bytes of configuration space.</summary>
    /// <param name="options">What kind of endpoint; null for one with function-level reset on the slowest link.</param>
    /// <param name="offset">Multiple of 4 from 0x40 to 0xC4; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">There is one already, no offset is free, or the device is being served.</exception>
    /// <remarks>Setup. 60 bytes. PCI Express 2.0 7.8.</remarks>
    public PciExpressCapability AddPciExpress(PciExpressOptions? options = null, int? offset = null)
    {
        RefuseSecond(PciExpress, "PCI Express");
        options ??= new PciExpressOptions();
        options.Check(nameof(options));
        int at = Place(
            PciRegister.CapabilityPciExpress, PciExpressCapability.Length, offset, "the PCI Express capability");
        Extend();
        return PciExpress = new PciExpressCapability(this, at, options);
    }

    /// <summary>Adds a vendor-specific capability; there may be several.</summary>
    /// <param name="data">The bytes after ID, link and length: 0 to 189.</param>
    /// <param name="access">Whether a guest can write <paramref name="data"/>.</param>
    /// <param name="offset">Multiple of 4 from 0x40; null for the first free one.</param>
    /// <returns>The capability, on which handlers for reads and writes can be set.</returns>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or there is too much data.</exception>
    /// <exception cref="InvalidOperationException">No offset is free, or the device is being served.</exception>
    /// <remarks>Setup. PCI 3.0 6.7 and appendix H.</remarks>
    public VendorCapability AddVendorSpecific(
        ReadOnlySpan<byte> data, VendorCapabilityAccess access = VendorCapabilityAccess.ReadOnly, int? offset = null)
    {
        const int HeaderSize = 3;
        int size = HeaderSize + data.Length;
        CheckFits(size, PciRegister.ConventionalSize - PciRegister.HeaderSize, nameof(data));

        int at = Place(PciRegister.CapabilityVendorSpecific, size, offset, "a vendor-specific capability");
        Define(at + 2, (byte)size);
        return new VendorCapability(this, PciRegister.CapabilityVendorSpecific, at, HeaderSize, data, access);
    }

    /// <summary>Adds any capability, byte by byte: one that this library does not know, or one of other content.</summary>
    /// <param name="id">Capability ID.</param>
    /// <param name="body">The bytes after ID and link: 0 to 190.</param>
    /// <param name="writeMask">Bits of <paramref name="body"/> that a guest can write: as long as it, or empty for none.</param>
    /// <param name="clearMask">Bits of <paramref name="body"/> that a guest clears by writing 1: likewise.</param>
    /// <param name="offset">Multiple of 4 from 0x40; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or the masks do not match the body.</exception>
    /// <exception cref="InvalidOperationException">No offset is free, or the device is being served.</exception>
    /// <remarks>Setup. <see cref="AddWriteHandler"/> reports a guest's writes to it. PCI 3.0 6.7.</remarks>
    public PciCapability AddCapability(
        byte id, ReadOnlySpan<byte> body, ReadOnlySpan<byte> writeMask = default, ReadOnlySpan<byte> clearMask = default,
        int? offset = null)
    {
        const int HeaderSize = 2;
        CheckMasks(body, writeMask, clearMask);
        int size = HeaderSize + body.Length;
        CheckFits(size, PciRegister.ConventionalSize - PciRegister.HeaderSize, nameof(body));

        int at = Place(id, size, offset, $"capability 0x{id:X2}");
        Define(at + HeaderSize, body, writeMask, clearMask);
        return new PciCapability(id, at, size);
    }

    private static void RefuseSecond(PciCapability? existing, string name)
    {
        if (existing is null)
            return;
        throw new InvalidOperationException(
            $"The device has the {name} capability at 0x{existing.Offset:X} already, and can have only one.");
    }

    private static void CheckFits(int size, int room, string parameter)
    {
        if (size > room)
            throw new ArgumentException($"The capability would have {size} bytes, but there is only room for {room}.", parameter);
    }

    private void CheckInBar(int index, long offset, long size, string name)
    {
        BarSlot bar = DeclaredBar(index, null);
        if (bar.Kind == BarKind.Io)
            throw new ArgumentException($"BAR {index} is I/O space: the {name} must be in a memory BAR.");
        if (offset % 8 != 0)
            throw new ArgumentException($"Offset 0x{offset:X} of the {name} is not a multiple of 8.");
        if (offset < 0 || offset > uint.MaxValue || offset + size > bar.Size)
        {
            throw new ArgumentException(
                $"The {name} has 0x{size:X} bytes at 0x{offset:X} and goes beyond the 0x{bar.Size:X} bytes of BAR {index}: " +
                "make the BAR larger, or have fewer vectors.");
        }
    }
}
