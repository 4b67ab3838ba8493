using System.Buffers.Binary;
using static VfioUser.Disks.NbdProtocol;

namespace VfioUser.Disks;

/// <summary>Receives the replies of a connection: simple ones, and structured ones in chunks.</summary>
/// <remarks>
/// The server is not trusted: each reply is to a request that was sent and not answered, each chunk lies within it, and a read succeeds
/// only if as many bytes have come as were asked for. Otherwise the connection is given up.
/// </remarks>
internal sealed class NbdReplies(NbdConnection connection, Func<ulong, NbdRequest?> find, Action<NbdRequest> ended)
{
    private const int LongestError = 8 << 10;

    private readonly NbdReader _reader = connection.Reader;

    /// <summary>Receives until the connection ends.</summary>
    /// <exception cref="IOException">It has ended, or the server has broken a rule.</exception>
    public void Run()
    {
        while (true)
        {
            uint magic = _reader.UInt32();
            if (magic == SimpleReplyMagic)
                Simple();
            else if (magic == StructuredReplyMagic && connection.Export.IsStructured)
                Chunk();
            else
                throw new NbdProtocolException($"The NBD server's reply begins with 0x{magic:x8}.");
        }
    }

    private void Simple()
    {
        ReadOnlySpan<byte> head = _reader.Take(12);
        uint error = BinaryPrimitives.ReadUInt32BigEndian(head);
        NbdRequest request = Find(BinaryPrimitives.ReadUInt64BigEndian(head[4..]));
        if (request.Command == NbdCommand.Read)
        {
            if (connection.Export.IsStructured)
                throw new NbdProtocolException("The NBD server answers a read without the structure that it has agreed to.");
            if (error == 0)
                _reader.Read(request.Destination.Span);
        }
        request.Error = error;
        ended(request);
    }

    private void Chunk()
    {
        ReadOnlySpan<byte> head = _reader.Take(16);
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(head);
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(head[2..]);
        NbdRequest request = Find(BinaryPrimitives.ReadUInt64BigEndian(head[4..]));
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head[12..]);
        bool isLast = (flags & ChunkDone) != 0;
        switch (type)
        {
            case ChunkNone when length == 0 && isLast:
                break;
            case ChunkOffsetData when length > sizeof(ulong):
                _reader.Read(Part(request, _reader.UInt64(), length - sizeof(ulong)));
                break;
            case ChunkOffsetHole when length == sizeof(ulong) + sizeof(uint):
                ulong offset = _reader.UInt64();
                Part(request, offset, _reader.UInt32()).Clear();
                break;
            case >= ChunkIsError when length is >= 6 and <= LongestError:
                Error(request, (int)length);
                break;
            default:
                throw new NbdProtocolException($"The NBD server's reply has a chunk of type {type} with {length} bytes.");
        }
        if (!isLast)
            return;
        if (request is { Command: NbdCommand.Read, Error: 0 } && request.Received != request.Length)
            throw new NbdProtocolException($"The NBD server has given {request.Received} bytes of {request.Length}.");
        ended(request);
    }

    private void Error(NbdRequest request, int length)
    {
        ReadOnlySpan<byte> body = _reader.Take(length);
        uint error = BinaryPrimitives.ReadUInt32BigEndian(body);
        if (error == 0 || BinaryPrimitives.ReadUInt16BigEndian(body[4..]) > length - 6)
            throw new NbdProtocolException("The NBD server's error is none.");
        if (request.Error == 0)
            request.Error = error;
    }

    private static Span<byte> Part(NbdRequest request, ulong offset, uint length)
    {
        ulong start = unchecked(offset - (ulong)request.Offset);
        if (request.Command != NbdCommand.Read || start >= (ulong)request.Length || length > (ulong)request.Length - start
            || length == 0 || length > request.Length - request.Received)
        {
            throw new NbdProtocolException($"The NBD server gives {length} bytes at {offset} where {request.Length} at {request.Offset} were asked for.");
        }
        // chunks that overlap would leave something out, where otherwise an earlier command's data would show
        if (request.Received == 0 && length < request.Length)
            request.Destination.Span.Clear();
        request.Received += (int)length;
        return request.Destination.Span.Slice((int)start, (int)length);
    }

    private NbdRequest Find(ulong cookie) => find(cookie) is { IsSent: true } request ? request
        : throw new NbdProtocolException($"The NBD server answers request {cookie}, which there is not.");
}
