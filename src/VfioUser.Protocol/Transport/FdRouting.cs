namespace VfioUser.Protocol;

/// <summary>Which message the descriptors of a receive belong to.</summary>
/// <remarks>
/// Linux ends a receive after the write that carried descriptors, but the receive may begin with older bytes.
/// So the descriptors belong to the last write in the chunk, and its last byte is the chunk's last byte:
/// <code>
/// writes     A(no fd)  B(fd)  C        receives   [A B]+fd   [C]
/// </code>
/// Where one write held several messages, the last one of them that may carry descriptors gets them.
/// </remarks>
internal static class FdRouting
{
    /// <summary>Start of the message in <paramref name="chunk"/> that the descriptors belong to.</summary>
    /// <param name="chunk">All bytes that are not parsed yet, from the start of a message on.</param>
    /// <param name="older">How many of them came before this receive.</param>
    public static int FindOwner(ReadOnlySpan<byte> chunk, int older)
    {
        int owner = 0;
        bool ownerMayCarry = false;
        int start = 0;
        while (start < chunk.Length)
        {
            if (!WireFormat.TryRead(chunk[start..], out MessageHeader header))
                return start; // a header that is still incomplete: these are the chunk's last bytes
            bool mayCarry = MayCarryFds(header);
            long end = start + Math.Max((long)header.MessageSize, MessageHeader.WireSize);
            // a message that ended before this receive began cannot have sent them
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
