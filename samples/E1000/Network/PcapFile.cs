using System.Buffers.Binary;

namespace E1000.Network;

/// <summary>A file of the frames that passed, which tcpdump and Wireshark read.</summary>
/// <remarks>
/// Any thread. Little-endian, microseconds, Ethernet. Format: draft-ietf-opsawg-pcap. A frame is lost when the file cannot be written,
/// and all after it: <see cref="Failure"/> says why.
/// </remarks>
public sealed class PcapFile : IDisposable
{
    private const uint Magic = 0xA1B2C3D4;
    private const int MaxFrame = 65_535;
    private const uint Ethernet = 1;

    private readonly Lock _lock = new();
    private readonly Stream _stream;
    private readonly TimeProvider _time;

    /// <param name="stream">Becomes this object's.</param>
    /// <param name="time">For the time of each frame; null for the system's.</param>
    public PcapFile(Stream stream, TimeProvider? time = null)
    {
        _stream = stream;
        _time = time ?? TimeProvider.System;
        Span<byte> header = stackalloc byte[24];
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], MaxFrame);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], Ethernet);
        _stream.Write(header);
        _stream.Flush();
    }

    /// <summary>Why nothing is written any more; null if all is well.</summary>
    public IOException? Failure { get; private set; }

    /// <summary>A port that writes down what is sent to another one.</summary>
    public INetworkPort InFrontOf(INetworkPort port) => new Tap(this, port);

    /// <summary>Writes what is left, and closes the file.</summary>
    public void Dispose()
    {
        lock (_lock)
            _stream.Dispose();
    }

    private void Append(ReadOnlySpan<byte> frame)
    {
        long microseconds = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        int kept = Math.Min(frame.Length, MaxFrame);
        Span<byte> header = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)(microseconds / 1_000_000));
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)(microseconds % 1_000_000));
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], kept);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], frame.Length);
        lock (_lock)
        {
            if (Failure is not null || !_stream.CanWrite)
                return;
            try
            {
                _stream.Write(header);
                _stream.Write(frame[..kept]);
                _stream.Flush(); // it can be watched while it grows
            }
            catch (IOException e)
            {
                Failure = e;
            }
        }
    }

    private sealed class Tap(PcapFile file, INetworkPort port) : INetworkPort
    {
        public void Send(ReadOnlySpan<byte> frame)
        {
            file.Append(frame);
            port.Send(frame);
        }
    }
}
