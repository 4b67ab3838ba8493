using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Has the data of large REGION_WRITE messages received straight into the memory of a region.</summary>
/// <remarks>The Command thread, or, while it waits for the message, its stand-in beside it: then the device's own work runs meanwhile, as it
/// does beside a client that has mapped this memory.</remarks>
/// <param name="session">The session.</param>
internal sealed class LargeWrites(Session session) : IPayloadPlacement
{
    private RegionAccess _placed; // Count is 0 for none

    public Span<byte> Find(in MessageHeader header, ReadOnlySpan<byte> start)
    {
        if (!header.IsCommand || header.Command != Command.RegionWrite || !WireFormat.TryRead(start, out RegionAccess access)
            || access.Count != header.MessageSize - MessageHeader.WireSize - RegionAccess.WireSize || access.Count > (uint)session.Limits.MaxTransferToReceive
            || !RegionWriteHandler.CanWrite(session.Device, access, out Region? region) || region is null)
        {
            return default;
        }
        Span<byte> place = region.MemoryFor((long)access.Offset, (int)access.Count);
        _placed = place.IsEmpty ? default : access;
        return place;
    }

    /// <summary>Whether the data of this access, which is missing in the message, is in the region's memory already. True once.</summary>
    public bool Take(in RegionAccess access)
    {
        bool isPlaced = _placed.Count != 0 && _placed == access;
        _placed = default;
        return isPlaced;
    }
}
