using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The capability list of a region: sparse mmap areas, and the type of a device-specific region.</summary>
/// <remarks>Spec: "VFIO region capabilities". Each capability is a multiple of 8 bytes long, so all are aligned.</remarks>
internal readonly struct RegionCapabilities
{
    private readonly IReadOnlyList<MemoryArea> _areas;
    private readonly DeviceRegion? _typed;

    public RegionCapabilities(Region? region, RegionMemory? memory)
    {
        _typed = region as DeviceRegion;
        _areas = memory?.Areas ?? [];
        // a single area that is the whole region needs no list: the flags say it
        if (_areas.Count == 1 && _areas[0] == new MemoryArea(0, region!.Size))
            _areas = [];
    }

    /// <summary>In bytes; 0 if there are no capabilities.</summary>
    public int Length => SparseLength + TypeLength;

    private int SparseLength => _areas.Count == 0 ? 0
        : RegionCapHeader.WireSize + SparseMmap.WireSize + _areas.Count * SparseMmapArea.WireSize;

    private int TypeLength => _typed is null ? 0 : RegionCapHeader.WireSize + RegionType.WireSize;

    /// <summary>Writes the list at <paramref name="start"/>. All offsets in it are relative to the start of the payload.</summary>
    public void Write(Span<byte> payload, int start)
    {
        int type = start + SparseLength;
        if (_areas.Count > 0)
            WriteAreas(payload[start..], next: _typed is null ? 0u : (uint)type);
        if (_typed is not null)
        {
            WireFormat.Write(payload[type..], new RegionCapHeader(RegionCapId.Type, Version: 1, Next: 0));
            WireFormat.Write(payload[(type + RegionCapHeader.WireSize)..], new RegionType(_typed.Type, _typed.Subtype));
        }
    }

    private void WriteAreas(Span<byte> destination, uint next)
    {
        WireFormat.Write(destination, new RegionCapHeader(RegionCapId.SparseMmap, Version: 1, next));
        destination = destination[RegionCapHeader.WireSize..];
        WireFormat.Write(destination, new SparseMmap((uint)_areas.Count, 0));
        destination = destination[SparseMmap.WireSize..];
        foreach (MemoryArea area in _areas)
        {
            WireFormat.Write(destination, new SparseMmapArea((ulong)area.Offset, (ulong)area.Length));
            destination = destination[SparseMmapArea.WireSize..];
        }
    }
}
