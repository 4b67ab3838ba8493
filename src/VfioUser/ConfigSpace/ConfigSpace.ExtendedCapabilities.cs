namespace VfioUser;

public sealed partial class ConfigSpace
{
    private const int ExtendedHeaderSize = 4;

    /// <summary>Adds the device serial number.</summary>
    /// <param name="serialNumber">An EUI-64: the most significant 24 bits are the maker's.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first
    /// free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. 12 bytes, which no guest can write. PCI Express 2.0 7.12.</remarks>
    public PciCapability AddDeviceSerialNumber(ulong serialNumber, int? offset = null)
    {
        const ushort Id = PciRegister.ExtendedDeviceSerialNumber;
        if (FindExtendedCapability(Id) is { } existing)
        {
            throw new InvalidOperationException(
                $"The device has a serial number at 0x{existing:X} already, and can have only one.");
        }

        const int Length = ExtendedHeaderSize + sizeof(ulong);
        int at = PlaceExtended(Id, version: 1, Length, offset, "the device serial number");
        Define(at + ExtendedHeaderSize, serialNumber);
        return new PciCapability(Id, at, Length);
    }

    /// <summary>Adds a vendor-specific extended capability, of which there may be several.</summary>
    /// <param name="id">Vendor's own ID of the structure (VSEC ID).</param>
    /// <param name="revision">Vendor's own version of the structure, 0 to 15.</param>
    /// <param name="data">The bytes after the two headers: 0 to 3832.</param>
    /// <param name="access">Whether a guest can write <paramref name="data"/>.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first
    /// free one.</param>
    /// <returns>The capability, on which handlers for reads and writes can be set.</returns>
    /// <exception cref="ArgumentException">The offset is in use or not possible, the revision above 15, or there is too much
    /// data.</exception>
    /// <exception cref="InvalidOperationException">There is no PCI Express capability, no offset is free, or the device is being
    /// served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. PCI Express 2.0 7.18.</remarks>
    public VendorCapability AddExtendedVendorSpecific(
        ushort id, byte revision, ReadOnlySpan<byte> data,
        VendorCapabilityAccess access = VendorCapabilityAccess.ReadOnly, int? offset = null)
    {
        const int HeaderSize = 8;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(revision, (byte)15);
        int size = HeaderSize + data.Length;
        CheckFits(size, PciRegister.ExtendedSize - PciRegister.ConventionalSize, nameof(data));

        int at = PlaceExtended(
            PciRegister.ExtendedVendorSpecific, version: 1, size, offset, "a vendor-specific extended capability");
        Define(at + ExtendedHeaderSize, id | ((uint)revision << 16) | ((uint)size << 20));
        return new VendorCapability(this, PciRegister.ExtendedVendorSpecific, at, HeaderSize, data, access);
    }

    /// <summary>Adds an extended capability that this library does not know.</summary>
    /// <param name="id">Extended capability ID; not 0, which means that there is none.</param>
    /// <param name="version">Version of the capability's layout, 0 to 15.</param>
    /// <param name="body">The bytes after the header: 0 to 3836.</param>
    /// <param name="writeMask">Bits of <paramref name="body"/> that a guest can write: as long as it, or empty for none.</param>
    /// <param name="clearMask">Bits of <paramref name="body"/> that a guest clears by writing 1: likewise.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first
    /// free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, the ID or version as well, or the masks do not
    /// match the body.</exception>
    /// <exception cref="InvalidOperationException">There is no PCI Express capability (nor one of PCI-X), no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. <see cref="AddWriteHandler"/> reports a guest's writes to it. PCI Express 2.0
    /// 7.9.3.</remarks>
    public PciCapability AddExtendedCapability(
        ushort id, byte version, ReadOnlySpan<byte> body, ReadOnlySpan<byte> writeMask = default,
        ReadOnlySpan<byte> clearMask = default, int? offset = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(version, (byte)15);
        CheckMasks(body, writeMask, clearMask);
        int size = ExtendedHeaderSize + body.Length;
        CheckFits(size, PciRegister.ExtendedSize - PciRegister.ConventionalSize, nameof(body));

        int at = PlaceExtended(id, version, size, offset, $"extended capability 0x{id:X4}");
        Define(at + ExtendedHeaderSize, body, writeMask, clearMask);
        return new PciCapability(id, at, size);
    }
}
