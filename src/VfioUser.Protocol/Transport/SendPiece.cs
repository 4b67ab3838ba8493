namespace VfioUser.Protocol;

/// <summary>Chooses how many bytes to send at once, so that no header is split.</summary>
/// <remarks>
/// Linux splits a large write to a UNIX stream socket into buffers of up to 36,544 bytes, or half of the socket's send
/// buffer if that is less, and the reader may receive one without the next. A write that fits into one is accepted completely or
/// not at all. QEMU and libvfio-user read a header with one receive, and take part of one for the end of the stream.
/// So messages are sent together if they fit into one buffer, and a longer one is sent alone.
/// </remarks>
internal static class SendPiece
{
    /// <summary>Bytes that are never split, unless the socket's send buffer is less than twice as large.</summary>
    public const int Whole = 32 << 10;

    /// <summary>Bytes that are never split by the smallest send buffer that Linux has, of 4,608 bytes.</summary>
    public const int WholeOfAny = 2 << 10;

    // bytes of half of the buffer that the kernel itself uses
    private const int Overhead = 64;

    /// <summary>Bytes that are never split with a send buffer of this size.</summary>
    public static int WholeOf(int sendBuffer) => Math.Clamp(sendBuffer / 2 - Overhead, MessageHeader.WireSize, Whole);

    /// <summary>How many bytes to send next.</summary>
    /// <param name="messages">Consecutive messages, starting with a header.</param>
    /// <param name="whole">Bytes that are never split.</param>
    public static int Next(ReadOnlySpan<byte> messages, int whole)
    {
        if (messages.Length <= whole)
            return messages.Length;
        int length = 0;
        while (length < messages.Length)
        {
            int next = length + First(messages[length..]);
            if (next > whole)
                return length == 0 ? next : length;
            length = next;
        }
        return length;
    }

    /// <summary>Length of the first message, or of all bytes if its header is not valid.</summary>
    public static int First(ReadOnlySpan<byte> messages) =>
        WireFormat.TryRead(messages, out MessageHeader header) && header.MessageSize >= MessageHeader.WireSize
            ? (int)Math.Min(header.MessageSize, (uint)messages.Length)
            : messages.Length;
}
