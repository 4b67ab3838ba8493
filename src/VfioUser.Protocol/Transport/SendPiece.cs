namespace VfioUser.Protocol;

/// <summary>How much one send may take, so that no header arrives in two pieces.</summary>
/// <remarks>
/// Linux cuts a large write to a UNIX stream socket into buffers of up to 36,544 bytes, or half of the socket's send
/// buffer if that is less, and the reader sees one after the other. What fits into one of them is taken whole or not at
/// all. QEMU and libvfio-user read a header with one receive, and take half of one for the end of the stream.
/// So several messages leave together as long as they fit, and a longer one leaves alone, its header in front.
/// </remarks>
internal static class SendPiece
{
    /// <summary>Bytes that are never cut, where the socket's send buffer is not set to less than twice as many.</summary>
    public const int Whole = 32 << 10;

    // what the kernel keeps of half of the buffer for itself
    private const int Overhead = 64;

    /// <summary>Bytes that are never cut with a send buffer of this size.</summary>
    public static int WholeOf(int sendBuffer) => Math.Clamp(sendBuffer / 2 - Overhead, MessageHeader.WireSize, Whole);

    /// <summary>How many bytes the next send takes.</summary>
    /// <param name="messages">Messages that follow each other, from the beginning of one.</param>
    /// <param name="whole">Bytes that are never cut.</param>
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

    /// <summary>Length of the first message, or of all that is there when its header is not to be believed.</summary>
    public static int First(ReadOnlySpan<byte> messages) =>
        WireFormat.TryRead(messages, out MessageHeader header) && header.MessageSize >= MessageHeader.WireSize
            ? (int)Math.Min(header.MessageSize, (uint)messages.Length)
            : messages.Length;
}
