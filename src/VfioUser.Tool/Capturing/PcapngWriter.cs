using System.Buffers.Binary;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Capturing;

/// <summary>Writes a trace as pcapng, for Wireshark: each block with one <c>write</c>, so that a killed trace loses at most the last one.</summary>
/// <remarks>Blocks are of <c>draft-ietf-opsawg-pcapng</c>; the frames in them are described in <c>docs/trace-format.md</c>.</remarks>
internal sealed class PcapngWriter : ITraceSink, IDisposable
{
    /// <summary>LINKTYPE_USER0.</summary>
    public const ushort LinkType = 147;

    /// <summary>Most bytes of a frame that are written: Wireshark reads no longer ones.</summary>
    public const int LongestFrame = 256 << 10;

    /// <summary>Bytes of a frame before its descriptors.</summary>
    public const int FrameHeaderSize = 12;

    private const byte FrameVersion = 1;

    // a kind of frame that recordings do not have
    private const RecordKind Names = (RecordKind)5;

    // types of blocks
    private const uint SectionHeader = 0x0A0D0D0A;
    private const uint InterfaceDescription = 1;
    private const uint EnhancedPacket = 6;

    // type and both lengths of a block; and what an Enhanced Packet has before its frame
    private const int BlockOverhead = 12;
    private const int PacketHeaderSize = 20;

    private readonly FileStream _file;
    private readonly long _start;
    private TraceNames? _names; // until they are written
    private byte[] _block = new byte[4096];

    /// <param name="path">Replaced if it is there.</param>
    /// <param name="start">When the trace began.</param>
    /// <param name="names">Written before the first frame after they are known; null for none.</param>
    /// <exception cref="IOException">The file cannot be created.</exception>
    public PcapngWriter(string path, DateTimeOffset start, TraceNames? names = null)
    {
        _names = names;
        _start = (start - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        Span<byte> body = stackalloc byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(body, 0x1A2B3C4D); // tells the byte order
        BinaryPrimitives.WriteUInt16LittleEndian(body[4..], 1); // version 1.0
        BinaryPrimitives.WriteUInt16LittleEndian(body[6..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(body[8..], -1); // the length of the section is not known
        Write(SectionHeader, body[..16]);
        body.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(body, LinkType);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], LongestFrame);
        BinaryPrimitives.WriteUInt16LittleEndian(body[8..], 9); // if_tsresol: nanoseconds
        BinaryPrimitives.WriteUInt16LittleEndian(body[10..], 1);
        body[12] = 9;
        Write(InterfaceDescription, body[..20]); // its last four bytes end the options
    }

    public void Connected(int client, TimeSpan time) => Write(RecordKind.Connected, Way.ToServer, client, time, [], []);

    public void Message(in TracedMessage message) =>
        Write(message.IsWhole ? RecordKind.Message : RecordKind.Piece, message.Way, message.Client, message.Time, message.Fds, message.Bytes);

    public void Disconnected(int client, TimeSpan time) => Write(RecordKind.Disconnected, Way.ToServer, client, time, [], []);

    public void Dispose() => _file.Dispose();

    private void Write(RecordKind kind, Way way, int client, TimeSpan time, IReadOnlyList<FdFacts> fds, ReadOnlySpan<byte> bytes)
    {
        if (_names?.Current is { } names)
        {
            _names = null;
            foreach (byte[] lines in NameLines.Of(names, LongestFrame - FrameHeaderSize))
                Write(Names, Way.ToServer, client: 0, time, [], lines);
        }
        int length = FrameHeaderSize + fds.Count * RecordedFd.WireSize + bytes.Length;
        int captured = Math.Min(length, LongestFrame);
        Span<byte> body = Begin(EnhancedPacket, PacketHeaderSize + captured);
        ulong at = (ulong)(_start + (long)time.TotalNanoseconds);
        BinaryPrimitives.WriteUInt32LittleEndian(body, 0); // of the only interface
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], (uint)(at >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], (uint)at);
        BinaryPrimitives.WriteUInt32LittleEndian(body[12..], (uint)captured);
        BinaryPrimitives.WriteUInt32LittleEndian(body[16..], (uint)length);
        Span<byte> frame = body[PacketHeaderSize..];
        frame[0] = FrameVersion;
        frame[1] = (byte)kind;
        frame[2] = (byte)way;
        frame[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], (uint)client);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[8..], (ushort)fds.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[10..], 0);
        frame = frame[FrameHeaderSize..];
        foreach (FdFacts fd in fds)
        {
            Protocol.WireFormat.Write(frame, new RecordedFd(fd.Kind, 0, fd.Size));
            frame = frame[RecordedFd.WireSize..];
        }
        bytes[..Math.Min(bytes.Length, captured - FrameHeaderSize - fds.Count * RecordedFd.WireSize)].CopyTo(frame);
        End(PacketHeaderSize + captured);
    }

    private void Write(uint type, ReadOnlySpan<byte> body)
    {
        body.CopyTo(Begin(type, body.Length));
        End(body.Length);
    }

    // returns where the body belongs
    private Span<byte> Begin(uint type, int length)
    {
        int size = Padded(length) + BlockOverhead;
        if (_block.Length < size)
            _block = new byte[Math.Max(size, 2 * _block.Length)];
        BinaryPrimitives.WriteUInt32LittleEndian(_block, type);
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(4), (uint)size);
        return _block.AsSpan(8, length);
    }

    private void End(int length)
    {
        int end = 8 + Padded(length);
        _block.AsSpan(8 + length, end - 8 - length).Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(end), (uint)(end + 4));
        _file.Write(_block, 0, end + 4);
    }

    private static int Padded(int length) => (length + 3) & ~3;
}
