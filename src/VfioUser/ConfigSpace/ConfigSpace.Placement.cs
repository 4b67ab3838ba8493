namespace VfioUser;

public sealed partial class ConfigSpace
{
    // Capabilities start at multiples of 4: PCI 3.0 6.7.
    private const int CapabilityAlignment = 4;

    private readonly List<(ushort Id, int Offset)> _capabilities = [];
    private readonly List<(ushort Id, int Offset)> _extendedCapabilities = [];

    /// <summary>Finds a capability in the first 256 bytes.</summary>
    /// <param name="id">Capability ID, such as 0x09 for vendor-specific.</param>
    /// <param name="after">Where the search starts: after the capability at this offset, or at the start of the list for 0.</param>
    /// <returns>Offset of the next capability with that ID in the order of the list, or null.</returns>
    /// <exception cref="ArgumentException">No capability starts at <paramref name="after"/>.</exception>
    /// <remarks>Setup; Any thread once the device is served. PCI 3.0 6.7.</remarks>
    public int? FindCapability(byte id, int after = 0) => Find(_capabilities, id, after);

    /// <summary>Finds an extended capability.</summary>
    /// <param name="id">Extended capability ID, such as 0x0003 for the device serial number.</param>
    /// <param name="after">Where the search starts: after the capability at this offset, or at the start of the list for 0.</param>
    /// <returns>Offset of the next extended capability with that ID in the order of the list, or null.</returns>
    /// <exception cref="ArgumentException">No extended capability starts at <paramref name="after"/>.</exception>
    /// <remarks>Setup; Any thread once the device is served. PCI Express 2.0 7.9.3.</remarks>
    public int? FindExtendedCapability(ushort id, int after = 0) => Find(_extendedCapabilities, id, after);

    /// <summary>Finds room for a capability, writes its header and links it as the last one.</summary>
    /// <param name="id">Capability ID.</param>
    /// <param name="size">In bytes.</param>
    /// <param name="offset">Where; null for the first free place.</param>
    /// <param name="name">Of the capability, in messages.</param>
    /// <param name="parameter">What the author calls the offset; null if it is no parameter of the method that he called.</param>
    private int Place(byte id, int size, int? offset, string name, string? parameter = "offset")
    {
        ThrowIfSealed();
        int at = Reserve(size, offset, name, PciRegister.HeaderSize, PciRegister.ConventionalSize, parameter);

        // only this bit: the device may have set others of the status register
        SetBits(PciRegister.Status, (byte)PciRegister.StatusCapabilitiesList, 0xFF);
        Define(at, id);
        int link = _capabilities.Count == 0 ? PciRegister.CapabilitiesPointer : _capabilities[^1].Offset + 1;
        Define(link, (byte)at);
        _capabilities.Add((id, at));
        return at;
    }

    /// <summary>As <see cref="Place"/>, for an extended capability: its header is 16 bits of ID, 4 of version, 12 of link.</summary>
    private int PlaceExtended(ushort id, byte version, int size, int? offset, string name)
    {
        ThrowIfSealed();
        ThrowIfConventional(name);
        if (_extendedCapabilities.Count == 0)
        {
            offset ??= PciRegister.ConventionalSize;
            if (offset != PciRegister.ConventionalSize)
            {
                throw new ArgumentException(
                    "A guest looks for the first extended capability at 0x100: place this one there, or add another first.",
                    nameof(offset));
            }
        }

        int at = Reserve(size, offset, name, PciRegister.ConventionalSize, PciRegister.ExtendedSize, nameof(offset));
        Extend();

        Define(at, id | ((uint)version << 16));
        if (_extendedCapabilities.Count > 0)
        {
            int previous = _extendedCapabilities[^1].Offset;
            Define(previous, Read<uint>(previous) | ((uint)at << 20));
        }

        _extendedCapabilities.Add((id, at));
        return at;
    }

    // A guest reads beyond 0x100 only if there is one of these two, which the device may have added as raw bytes.
    private void ThrowIfConventional(string name)
    {
        if (FindCapability(PciRegister.CapabilityPciExpress) is null && FindCapability(PciRegister.CapabilityPciX) is null)
            throw NoPciExpress(name);
    }

    private int Reserve(int size, int? offset, string name, int start, int end, string? parameter)
    {
        // The padding belongs to the capability, so that no field can be put in it.
        int length = (size + CapabilityAlignment - 1) & -CapabilityAlignment;
        if (offset is { } given)
        {
            CheckPosition(given, length, name, start, end, parameter);
            Claim(given, given + length, name, parameter);
            return given;
        }

        for (int at = start; at <= end - length; at += CapabilityAlignment)
        {
            if (Claimant(at, at + length) is not null)
                continue;
            Claim(at, at + length, name, parameter);
            return at;
        }

        throw new InvalidOperationException(
            $"No {length} bytes in a row are free for {name} between 0x{start:X} and 0x{end - 1:X}: " +
            "add fewer or smaller capabilities, or place those with a given offset closer together.");
    }

    private static void CheckPosition(int offset, int length, string name, int start, int end, string? parameter)
    {
        if (offset % CapabilityAlignment != 0)
        {
            throw new ArgumentException(
                $"Offset 0x{offset:X} of {name} is not a multiple of 4: use 0x{offset & -CapabilityAlignment:X} or the next.",
                parameter);
        }

        if (offset < start || offset > end - length)
        {
            throw new ArgumentException(
                $"{name} with its {length} bytes does not fit at 0x{offset:X}: place it from 0x{start:X} to " +
                $"0x{end - length:X}, or leave the offset out.", parameter);
        }
    }

    private static int? Find(List<(ushort Id, int Offset)> list, ushort id, int after)
    {
        int from = 0;
        if (after != 0)
        {
            from = list.FindIndex(capability => capability.Offset == after) + 1;
            if (from == 0)
            {
                throw new ArgumentException(
                    $"No capability starts at 0x{after:X}: pass 0, or what the last call returned.", nameof(after));
            }
        }

        int found = list.FindIndex(from, capability => capability.Id == id);
        return found < 0 ? null : list[found].Offset;
    }
}
