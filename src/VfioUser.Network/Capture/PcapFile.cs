using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>A file of the frames that passed, which tcpdump and Wireshark read.</summary>
/// <remarks>
/// Any thread. Little-endian, microseconds, Ethernet. Format: draft-ietf-opsawg-pcap. Frames are written as they pass: those that leave
/// their checksum to others are without it, and those to be cut into segments are whole. When the file cannot be written, that frame is
/// not in it and none after it: <see cref="Failure"/> says why.
/// </remarks>
public sealed class PcapFile : IDisposable
{
    private const uint Magic = 0xA1B2C3D4;
    private const int SnapLength = 262_144; // no frame is longer
    private const uint EthernetLink = 1;

    private readonly Lock _lock = new();
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly byte[] _frame = new byte[NetworkFrame.MaxLength];

    /// <summary>Begins a file.</summary>
    /// <param name="stream">Becomes this object's.</param>
    /// <param name="time">For the time of each frame; null for the system's.</param>
    public PcapFile(Stream stream, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _stream = stream;
        _time = time ?? TimeProvider.System;
        Span<byte> header = stackalloc byte[24];
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], SnapLength);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], EthernetLink);
        _stream.Write(header);
        _stream.Flush();
    }

    /// <summary>Why nothing is written any more; null if all is well.</summary>
    public IOException? Failure { get; private set; }

    /// <summary>A port that writes down what is sent to another one.</summary>
    /// <param name="port">Gets what is sent.</param>
    public INetworkPort InFrontOf(INetworkPort port)
    {
        ArgumentNullException.ThrowIfNull(port);
        return new Recorder(this, port);
    }

    /// <summary>Writes what is left, and closes the file.</summary>
    public void Dispose()
    {
        lock (_lock)
            _stream.Dispose();
    }

    private void Append(in NetworkFrame frame)
    {
        long microseconds = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        Span<byte> header = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)(microseconds / 1_000_000));
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)(microseconds % 1_000_000));
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], frame.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], frame.Length);
        lock (_lock)
        {
            Span<byte> bytes = _frame.AsSpan(0, frame.Length);
            if (Failure is not null || !_stream.CanWrite || !frame.TryCopyTo(0, bytes))
                return;
            try
            {
                _stream.Write(header);
                _stream.Write(bytes);
                _stream.Flush(); // it can be watched while it grows
            }
            catch (IOException e)
            {
                Failure = e;
            }
        }
    }

    private sealed class Recorder(PcapFile file, INetworkPort port) : INetworkPort
    {
        public PortOffloads Offloads => port.Offloads;

        public void Send(in NetworkFrame frame)
        {
            file.Append(frame);
            port.Send(frame);
        }
    }
}
