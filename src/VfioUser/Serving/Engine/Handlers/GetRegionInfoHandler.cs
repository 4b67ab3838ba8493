using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</summary>
internal sealed class GetRegionInfoHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out RegionInfo request, out Refusal refusal))
            return refusal;
        if (request.Argsz < RegionInfo.WireSize)
            return Refusal.ArgszTooSmall(request.Argsz, RegionInfo.WireSize);
        if (request.Index >= (uint)session.Device.RegionCount)
            return Refusal.Invalid("there is no region {0}, only {1} regions", request.Index, (ulong)session.Device.RegionCount);

        Region? region = session.Device.RegionAt(request.Index);
        ulong size = RegionBounds.SizeOf(session.Device, request.Index, region);
        RegionMemory? memory = session.Limits.MaxFdsToSend > 0 ? region?.Memory : null;
        RegionCapabilities capabilities = new(region, memory);
        int needed = RegionInfo.WireSize + capabilities.Length;
        bool fits = request.Argsz >= needed;
        bool hasCapabilities = fits && capabilities.Length > 0;

        RegionFlags flags = size == 0 ? 0 : RegionFlags.Read;
        if (size != 0 && region is not { IsWritable: false })
            flags |= RegionFlags.Write;
        if (memory is not null)
            flags |= RegionFlags.Mmap;
        if (hasCapabilities)
            flags |= RegionFlags.Caps;

        int length = fits ? needed : RegionInfo.WireSize;
        Span<byte> payload = session.Replies.Begin(message.Header, length);
        WireFormat.Write(payload, new RegionInfo((uint)needed, flags, request.Index,
            hasCapabilities ? RegionInfo.WireSize : 0u, size, memory?.Shared.FileOffset ?? 0));
        if (hasCapabilities)
            capabilities.Write(payload, RegionInfo.WireSize);
        if (memory is not null && fits)
            session.Replies.End(length, [memory.Shared.File], failsWithPayload: true);
        else
            session.Replies.End(length);
        return CommandOutcome.Replied;
    }

    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        _ = WireFormat.TryRead(message.Payload, out RegionInfo request);
        Refuse(session, message, refusal, new RegionInfo(RegionInfo.WireSize, 0, request.Index, 0, 0, 0));
    }
}
