using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Describing;

/// <summary>One capability of a region. Immutable.</summary>
/// <param name="Header">Its ID and version.</param>
/// <param name="Areas">With <see cref="RegionCapId.SparseMmap"/>.</param>
/// <param name="Type">With <see cref="RegionCapId.Type"/>.</param>
/// <remarks>Spec: VFIO region capabilities.</remarks>
internal sealed record RegionCapability(RegionCapHeader Header, IReadOnlyList<SparseMmapArea> Areas, RegionType? Type)
{
    // the server is untrusted: its list may be a loop
    private const int MaxCapabilities = 64;

    /// <summary>Reads the whole list from the payload of a reply.</summary>
    /// <exception cref="VfioUserException">EBADMSG: the list leaves the message, or is too long.</exception>
    public static IReadOnlyList<RegionCapability> ReadAll(in RegionInfo info, ReadOnlySpan<byte> payload)
    {
        List<RegionCapability> found = [];
        uint at = (info.Flags & RegionFlags.Caps) == 0 ? 0 : info.CapOffset;
        while (at != 0)
        {
            if (found.Count == MaxCapabilities)
                throw Malformed();
            RegionCapHeader header = ReadAt<RegionCapHeader>(payload, at);
            uint content = at + RegionCapHeader.WireSize;
            found.Add(new RegionCapability(header,
                header.Id == RegionCapId.SparseMmap ? ReadAreas(payload, content) : [],
                header.Id == RegionCapId.Type ? ReadAt<RegionType>(payload, content) : null));
            at = header.Next;
        }
        return found;
    }

    private static SparseMmapArea[] ReadAreas(ReadOnlySpan<byte> payload, uint at)
    {
        uint count = ReadAt<SparseMmap>(payload, at).AreaCount;
        if (count > (uint)payload.Length / SparseMmapArea.WireSize)
            throw Malformed();
        SparseMmapArea[] areas = new SparseMmapArea[count];
        for (uint i = 0; i < count; i++)
            areas[i] = ReadAt<SparseMmapArea>(payload, at + SparseMmap.WireSize + i * SparseMmapArea.WireSize);
        return areas;
    }

    private static T ReadAt<T>(ReadOnlySpan<byte> payload, uint at)
        where T : unmanaged =>
        at <= (uint)payload.Length && WireFormat.TryRead(payload[(int)at..], out T value) ? value : throw Malformed();

    private static VfioUserException Malformed() => new(Command.DeviceGetRegionInfo, Errno.EBADMSG);
}
