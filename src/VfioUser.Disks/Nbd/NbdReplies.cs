using System.Buffers.Binary;
using static VfioUser.Disks.NbdProtocol;

namespace VfioUser.Disks;

/// <summary>Receives the replies of a connection: simple ones, and structured ones in chunks.</summary>
/// <remarks>
/// The server is not trusted: each reply is to a request that was sent and not answered, each chunk lies within it, and a read succeeds
/// only if as many bytes have come as were asked for. Otherwise the connection is given up.
/// </remarks>
internal sealed class NbdReplies(NbdConnection connection, Func<ulong, NbdRequest?> find, Action<NbdRequest> ended, CancellationToken cancellation)
{
    private const int LongestError = 8 << 10;

    private readonly NbdReader _reader = connection.Reader;

    /// <summary>Receives until the connection ends.</summary>
    /// <exception cref="IOException">It has ended, or the server has broken a rule.</exception>
    public async Task RunAsync()
    {
        while (true)
        {
            uint magic = await _reader.UInt32Async(cancellation).ConfigureAwait(false);
            if (magic == SimpleReplyMagic)
                await SimpleAsync().ConfigureAwait(false);
            else if (magic == StructuredReplyMagic && connection.Export.IsStructured)
                await ChunkAsync().ConfigureAwait(false);
            else
                throw new NbdProtocolException($"The NBD server's reply begins with 0x{magic:x8}.");
        }
    }

    private async ValueTask SimpleAsync()
    {
        ReadOnlyMemory<byte> head = await _reader.TakeAsync(12, cancellation).ConfigureAwait(false);
        uint error = BinaryPrimitives.ReadUInt32BigEndian(head.Span);
        NbdRequest request = Find(BinaryPrimitives.ReadUInt64BigEndian(head.Span[4..]));
        if (request.Command == NbdCommand.Read)
        {
            if (connection.Export.IsStructured)
                throw new NbdProtocolException("The NBD server answers a read without the structure that it has agreed to.");
            if (error == 0)
                await _reader.ReadAsync(request.Destination, cancellation).ConfigureAwait(false);
        }
        request.Error = error;
        ended(request);
    }

    private async ValueTask ChunkAsync()
    {
        ReadOnlyMemory<byte> head = await _reader.TakeAsync(16, cancellation).ConfigureAwait(false);
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(head.Span);
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(head.Span[2..]);
        NbdRequest request = Find(BinaryPrimitives.ReadUInt64BigEndian(head.Span[4..]));
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head.Span[12..]);
        bool isLast = (flags & ChunkDone) != 0;
        switch (type)
        {
            case ChunkNone when length == 0 && isLast:
                break;
            case ChunkOffsetData when length > sizeof(ulong):
                Memory<byte> data = Part(request, await _reader.UInt64Async(cancellation).ConfigureAwait(false), length - sizeof(ulong));
                await _reader.ReadAsync(data, cancellation).ConfigureAwait(false);
                break;
            case ChunkOffsetHole when length == sizeof(ulong) + sizeof(uint):
                ulong offset = await _reader.UInt64Async(cancellation).ConfigureAwait(false);
                Part(request, offset, await _reader.UInt32Async(cancellation).ConfigureAwait(false)).Span.Clear();
                break;
            case >= ChunkIsError when length is >= 6 and <= LongestError:
                await ErrorAsync(request, (int)length).ConfigureAwait(false);
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

    private async ValueTask ErrorAsync(NbdRequest request, int length)
    {
        ReadOnlyMemory<byte> body = await _reader.TakeAsync(length, cancellation).ConfigureAwait(false);
        uint error = BinaryPrimitives.ReadUInt32BigEndian(body.Span);
        if (error == 0 || BinaryPrimitives.ReadUInt16BigEndian(body.Span[4..]) > length - 6)
            throw new NbdProtocolException("The NBD server's error is none.");
        if (request.Error == 0)
            request.Error = error;
    }

    private static Memory<byte> Part(NbdRequest request, ulong offset, uint length)
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
        return request.Destination.Slice((int)start, (int)length);
    }

    private NbdRequest Find(ulong cookie) => find(cookie) is { IsSent: true } request ? request
        : throw new NbdProtocolException($"The NBD server answers request {cookie}, which there is not.");
}
