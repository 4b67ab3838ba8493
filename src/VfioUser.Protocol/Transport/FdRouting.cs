namespace VfioUser.Protocol;

/// <summary>Decides which message the descriptors of a receive belong to.</summary>
/// <remarks>
/// Linux ends a receive after a write with descriptors, but the receive may start with bytes of earlier writes.
/// So the descriptors belong to the last write in the chunk, which ends where the chunk ends:
/// <code>
/// writes     A(no fd)  B(fd)  C        receives   [A B]+fd   [C]
/// </code>
/// If that write had several messages, the last one that may have descriptors gets them.
/// </remarks>
internal static class FdRouting
{
    /// <summary>Offset in <paramref name="chunk"/> of the message that the descriptors belong to.</summary>
    /// <param name="chunk">All bytes that are not parsed yet, starting with a header.</param>
    /// <param name="older">How many of them are from earlier receives.</param>
    public static int FindOwner(ReadOnlySpan<byte> chunk, int older)
    {
        int owner = 0;
        bool ownerMayCarry = false;
        int start = 0;
        while (start < chunk.Length)
        {
            if (!WireFormat.TryRead(chunk[start..], out MessageHeader header))
                return start; // an incomplete header at the end of the chunk
            bool mayCarry = MayCarryFds(header);
            long end = start + Math.Max((long)header.MessageSize, MessageHeader.WireSize);
            // a message that ended before this receive cannot have them
            if (end > older && (mayCarry || !ownerMayCarry))
            {
                owner = start;
                ownerMayCarry = mayCarry;
            }
            if (end >= chunk.Length)
                return owner;
            start = (int)end;
        }
        return owner;
    }

    private static bool MayCarryFds(in MessageHeader header) =>
        ProtocolCommands.Find(header.Command)?.Payload(header.IsReply).MostFds > 0;
}
