using System.Buffers.Binary;
using System.Net.Sockets;
using VfioUser.Network;

namespace VfioUser.Benchmarks;

/// <summary>A machine of which QEMU's own card sends and receives over a socket (<c>-netdev stream</c>): each frame with its length before it.</summary>
internal sealed class StreamStation : INetworkPort
{
    private const int PrefixLength = sizeof(uint);
    private const int MaxFrame = NetworkFrame.MaxLength;

    private readonly Socket _socket;
    private readonly Lock _sending = new();
    private readonly byte[] _output = new byte[PrefixLength + MaxFrame];
    private readonly NetworkSwitchPort _port;

    private StreamStation(Socket socket, NetworkSwitch middle)
    {
        _socket = socket;
        _port = middle.Connect(this);
    }

    /// <summary>Accepts machines on a path, and joins them by a switch, for as long as the process lives.</summary>
    public static void Serve(string path, NetworkSwitch middle)
    {
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Start("accept", () =>
        {
            while (true)
            {
                StreamStation station = new(listener.Accept(), middle);
                Start("station", station.Receive);
            }
        });
    }

    /// <inheritdoc/>
    public void Send(in NetworkFrame frame)
    {
        lock (_sending)
        {
            BinaryPrimitives.WriteInt32BigEndian(_output, frame.Length);
            frame.TryCopyTo(0, _output.AsSpan(PrefixLength, frame.Length));
            for (ReadOnlySpan<byte> rest = _output.AsSpan(0, PrefixLength + frame.Length); rest.Length > 0;)
                rest = rest[_socket.Send(rest)..];
        }
    }

    private static void Start(string name, ThreadStart run) => new Thread(run) { Name = name, IsBackground = true }.Start();

    private void Receive()
    {
        byte[] buffer = new byte[4 * MaxFrame];
        int used = 0;
        while (_socket.Receive(buffer.AsSpan(used)) is > 0 and int received)
        {
            used += received;
            int start = 0;
            while (used - start >= PrefixLength && BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(start)) is var length && used - start - PrefixLength >= length)
            {
                _port.Send(new NetworkFrame(buffer.AsSpan(start + PrefixLength, length)));
                start += PrefixLength + length;
            }
            buffer.AsSpan(start..used).CopyTo(buffer);
            used -= start;
        }
        _port.Dispose();
    }
}
