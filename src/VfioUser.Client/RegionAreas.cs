using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>Reads a region's mappable areas and its type from the capabilities that follow its <see cref="RegionInfo"/>.</summary>
internal static class RegionAreas
{
    // the server is untrusted: its list of capabilities may be a loop
    private const int MaxCapabilities = 64;

    public static IReadOnlyList<SparseMmapArea> Of(in RegionInfo info, ReadOnlySpan<byte> payload)
    {
        if ((info.Flags & RegionFlags.Mmap) == 0)
            return [];
        if (info.Size > ulong.MaxValue - info.Offset)
            throw Malformed();
        return TryFind(info, payload, RegionCapId.SparseMmap, out uint at)
            ? SparseAreas(payload, at, info.Size)
            : [new SparseMmapArea(0, info.Size)];
    }

    /// <summary>The type of a device-specific region; null if the server gives none.</summary>
    public static RegionType? TypeOf(in RegionInfo info, ReadOnlySpan<byte> payload) =>
        TryFind(info, payload, RegionCapId.Type, out uint at) ? ReadAt<RegionType>(payload, at) : null;

    private static bool TryFind(in RegionInfo info, ReadOnlySpan<byte> payload, RegionCapId id, out uint content)
    {
        content = 0;
        uint at = (info.Flags & RegionFlags.Caps) == 0 ? 0 : info.CapOffset;
        for (int i = 0; i < MaxCapabilities && at != 0; i++)
        {
            RegionCapHeader header = ReadAt<RegionCapHeader>(payload, at);
            content = at + RegionCapHeader.WireSize;
            if (header.Id == id)
                return true;
            at = header.Next;
        }
        return at == 0 ? false : throw Malformed();
    }

    private static SparseMmapArea[] SparseAreas(ReadOnlySpan<byte> payload, uint at, ulong size)
    {
        SparseMmap sparse = ReadAt<SparseMmap>(payload, at);
        at += SparseMmap.WireSize;
        if (sparse.AreaCount > (uint)payload.Length / SparseMmapArea.WireSize)
            throw Malformed();
        SparseMmapArea[] areas = new SparseMmapArea[sparse.AreaCount];
        for (int i = 0; i < areas.Length; i++)
        {
            areas[i] = ReadAt<SparseMmapArea>(payload, at);
            if (areas[i].Offset > size || areas[i].Size > size - areas[i].Offset)
                throw Malformed();
            at += SparseMmapArea.WireSize;
        }
        return areas;
    }

    private static T ReadAt<T>(ReadOnlySpan<byte> payload, uint at)
        where T : unmanaged =>
        at <= (uint)payload.Length && WireFormat.TryRead(payload[(int)at..], out T value)
            ? value
            : throw Malformed();

    private static VfioUserException Malformed() => new(Command.DeviceGetRegionInfo, Errno.EBADMSG);
}
