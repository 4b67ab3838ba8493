using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What the description of a region says beyond its fixed part: a list, each entry with the place of the next.</summary>
/// <remarks>Spec: "VFIO region capabilities". Every entry is a multiple of 8 bytes long, so all are aligned.</remarks>
internal readonly struct RegionCapabilities
{
    private readonly IReadOnlyList<MemoryArea> _areas;
    private readonly DeviceRegion? _typed;

    public RegionCapabilities(Region? region, RegionMemory? memory)
    {
        _typed = region as DeviceRegion;
        _areas = memory?.Areas ?? [];
        // a list of one area that is the whole region says nothing that the flags don't
        if (_areas.Count == 1 && _areas[0] == new MemoryArea(0, region!.Size))
            _areas = [];
    }

    /// <summary>In bytes; 0 when there is nothing to say.</summary>
    public int Length => SparseLength + TypeLength;

    private int SparseLength => _areas.Count == 0 ? 0
        : RegionCapHeader.WireSize + SparseMmap.WireSize + _areas.Count * SparseMmapArea.WireSize;

    private int TypeLength => _typed is null ? 0 : RegionCapHeader.WireSize + RegionType.WireSize;

    /// <summary>Writes the list to <paramref name="start"/>, an offset from the start of the reply's payload as all of them are.</summary>
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
            WireFormat.Write(destination, new SparseMmapArea(area.Offset, area.Length));
            destination = destination[SparseMmapArea.WireSize..];
        }
    }
}
