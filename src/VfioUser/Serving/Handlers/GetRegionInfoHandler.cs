using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</summary>
internal sealed class GetRegionInfoHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out RegionInfo request) || request.Argsz < RegionInfo.WireSize
            || request.Index >= PciDevice.PciRegionCount)
            return Errno.EINVAL;

        Region? region = session.Device.RegionAt(request.Index);
        RegionMemory? memory = session.Limits.MaxFdsToSend > 0 ? region?.Memory : null;
        IReadOnlyList<MemoryArea> areas = memory?.Areas ?? [];
        // a list of one area that is the whole region says nothing that the flags don't
        bool sparse = areas.Count > 1 || (areas.Count == 1 && areas[0] != new MemoryArea(0, region!.Size));
        int needed = RegionInfo.WireSize + (sparse
            ? RegionCapHeader.WireSize + SparseMmap.WireSize + areas.Count * SparseMmapArea.WireSize : 0);
        bool fits = request.Argsz >= needed;

        RegionFlags flags = RegionBounds.SizeOf(session.Device, request.Index, region) == 0 ? 0 : RegionFlags.Read;
        if (flags != 0 && region is null or { IsWritable: true })
            flags |= flags == 0 ? 0 : RegionFlags.Write;
        if (memory is not null)
            flags |= RegionFlags.Mmap;
        if (sparse && fits)
            flags |= RegionFlags.Caps;

        int length = fits ? needed : RegionInfo.WireSize;
        Span<byte> payload = session.Replies.Begin(message.Header, length);
        WireFormat.Write(payload, new RegionInfo((uint)needed, flags, request.Index, sparse && fits ? RegionInfo.WireSize : 0u,
            RegionBounds.SizeOf(session.Device, request.Index, region), memory?.Shared.FileOffset ?? 0));
        if (sparse && fits)
            WriteAreas(payload[RegionInfo.WireSize..], areas);
        if (memory is not null && fits)
            session.Replies.End(length, [memory.Shared.File]);
        else
            session.Replies.End(length);
        return Errno.None;
    }

    private static void WriteAreas(Span<byte> destination, IReadOnlyList<MemoryArea> areas)
    {
        WireFormat.Write(destination, new RegionCapHeader(RegionCapId.SparseMmap, Version: 1, Next: 0));
        destination = destination[RegionCapHeader.WireSize..];
        WireFormat.Write(destination, new SparseMmap((uint)areas.Count, 0));
        destination = destination[SparseMmap.WireSize..];
        foreach (MemoryArea area in areas)
        {
            WireFormat.Write(destination, new SparseMmapArea(area.Offset, area.Length));
            destination = destination[SparseMmapArea.WireSize..];
        }
    }
}
