using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The server's own commands: reads and writes of guest memory, each no longer than the client takes.</summary>
/// <remarks>Any thread.</remarks>
/// <param name="channel">The twin socket's when there is one, else the main one.</param>
/// <param name="maxTransfer">Bytes in one command.</param>
/// <param name="beforeCall">Called before the caller waits: replies that are still to be sent must not wait with it.</param>
internal sealed class DmaChannel(MessageChannel channel, int maxTransfer, Action beforeCall)
{
    // What the reply to a write holds besides nothing: 12 bytes in the specification, 16 in QEMU and libvfio-user.
    private const int ShortWriteReply = 12;

    /// <summary>Sends the replies that are ready: what the caller is about to wait for may depend on them.</summary>
    public void BeforeWaiting() => beforeCall();

    public bool TryRead(ulong address, Span<byte> destination)
    {
        beforeCall();
        Span<byte> request = stackalloc byte[DmaAccess.WireSize];
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, maxTransfer);
            WireFormat.Write(request, new DmaAccess(address, (ulong)count));
            using Reply reply = channel.Call(Command.DmaRead, request);
            if (reply.Errno != Errno.None || reply.Payload.Length != DmaAccess.WireSize + count
                || !WireFormat.TryRead(reply.Payload, out DmaAccess done) || done.Count != (ulong)count)
                return false;
            reply.Payload[DmaAccess.WireSize..].CopyTo(destination);
            destination = destination[count..];
            address += (ulong)count;
        }
        return true;
    }

    public bool TryWrite(ulong address, ReadOnlySpan<byte> source)
    {
        beforeCall();
        Span<byte> request = stackalloc byte[DmaAccess.WireSize];
        while (!source.IsEmpty)
        {
            int count = Math.Min(source.Length, maxTransfer);
            WireFormat.Write(request, new DmaAccess(address, (ulong)count));
            using Reply reply = channel.Call(Command.DmaWrite, request, source[..count]);
            if (reply.Errno != Errno.None || reply.Payload.Length is not (0 or ShortWriteReply or DmaAccess.WireSize))
                return false;
            source = source[count..];
            address += (ulong)count;
        }
        return true;
    }
}
