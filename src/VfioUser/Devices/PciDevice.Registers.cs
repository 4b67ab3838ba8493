namespace VfioUser;

/// <content>The registers of all regions.</content>
public abstract partial class PciDevice
{
    /// <summary>The registers that the device has declared, in its regions and in its configuration space, by region and offset.</summary>
    /// <remarks>Any thread, once all is declared; made anew by each call. Arrays and banks count as one for each register that the guest
    /// can address.</remarks>
    public IReadOnlyList<RegisterInfo> GetRegisters() =>
    [
        .. from region in _regions
           where region is not null
           from part in region.Declared.OfType<NamedPart>()
           select new RegisterInfo(region.Index, part),
        .. Config.Declared.OfType<NamedPart>().Select(part => new RegisterInfo(RegionIndex.Config, part)),
    ];

    /// <summary>As <see cref="GetRegisters"/>, with each register of a bank: which one a guest addresses, only the device's code knows.</summary>
    internal IEnumerable<RegisterInfo> StoredRegisters() =>
        from block in (IEnumerable<RegisterBlock>)[.. _regions.OfType<Region>(), Config]
        from part in block.Declared.OfType<NamedPart>()
        from one in part is BankedPart banked ? (IEnumerable<NamedPart>)banked.Banks : [part]
        select new RegisterInfo((block as Region)?.Index ?? RegionIndex.Config, one);

    /// <summary>How often guests accessed what the device does not model: offsets without register, memory or handler, tags, and reserved
    /// bits to which they wrote 1. Any thread.</summary>
    public long UnmodelledAccessCount => Unmodelled.Count;

    /// <summary>Appends the region with the register map, which is there while the device is served.</summary>
    private void AddRegisterMap(RegisterMap map) =>
        _regions = [.. _regions, new DeviceRegion(this, (RegionIndex)_regions.Length, RegisterMap.Type, RegisterMap.Subtype, map.Size, writable: false, map)];

    private void RemoveRegisterMap()
    {
        if (_regions[^1] is { Handler: RegisterMap })
            _regions = _regions[..^1];
    }

    internal UnmodelledAccesses Unmodelled { get; } = new();

    /// <summary>The register at a byte of a region; null if there is none.</summary>
    internal NamedPart? RegisterAt(RegionIndex region, long offset)
    {
        RegisterBlock? block = region == RegionIndex.Config ? Config : RegionAt((uint)region);
        return block?.Declared.OfType<NamedPart>().FirstOrDefault(part => offset >= part.Start && offset < part.End);
    }
}
