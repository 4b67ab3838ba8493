using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

/// <summary>Says what a fake server does in place of what is right: the whole reply, nothing for silence, null for what is right.</summary>
internal delegate byte[]? Fault(MessageHeader header, byte[] payload);

/// <summary>A small correct server of a device without regions, which can be made to break a rule.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Fault _fault;
    private readonly Thread _thread;
    private readonly HashSet<(ulong Address, ulong Size)> _mapped = [];
    private bool _negotiated;

    public FakeServer(Fault? fault = null)
    {
        _fault = fault ?? ((_, _) => null);
        WireFormat.Write(Config, 0x56781234u);
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _thread = new Thread(Serve) { IsBackground = true };
        _thread.Start();
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"vfio-user-fake-{Guid.NewGuid():n}.sock");

    /// <summary>Configuration space; identity and BARs cannot be written.</summary>
    public byte[] Config { get; } = new byte[256];

    /// <summary>What BAR0 is said to have.</summary>
    public ulong Bar0Size { get; init; }

    /// <summary>The flags of its device information.</summary>
    public DeviceFlags Flags { get; init; } = DeviceFlags.Pci;

    /// <summary>The capabilities of its version reply.</summary>
    public Capabilities Capabilities { get; init; } = Capabilities.Unspecified;

    /// <summary>The reply to the proposal of a client that connects while another one is attached; then it is disconnected. Null lets it wait.</summary>
    public Fault? SecondClient { get; init; }

    /// <summary>Whether it serves one client and ends, as the samples of the C library do.</summary>
    public bool EndsWithClient { get; init; }

    public ToolRun Check(params string[] more) => ToolRun.Of(["check", Path, "--server-timeout", "30", .. more]);

    /// <summary>A reply to a command.</summary>
    public static byte[] Reply(in MessageHeader command, ReadOnlySpan<byte> payload) => Message(command with { Flags = MessageFlags.Reply, Error = 0 }, payload);

    /// <summary>A refusal of a command; with a payload it is a wrong one.</summary>
    public static byte[] Refuse(in MessageHeader command, ReadOnlySpan<byte> payload = default, Errno errno = Errno.EINVAL) =>
        Message(command with { Flags = MessageFlags.Reply | MessageFlags.Error, Error = (uint)errno }, payload);

    public static byte[] Bytes<T>(in T value)
        where T : unmanaged =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    /// <summary>Accepts no client any more, and disconnects the one that is attached.</summary>
    public void Die() => _listener.Dispose();

    public void Dispose()
    {
        Die();
        _thread.Join();
        File.Delete(Path);
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                using Socket client = _listener.Accept();
                using MessageSocket socket = new(client.SafeHandle);
                Converse(client, socket);
                _mapped.Clear();
                _negotiated = false;
                if (EndsWithClient)
                    Die();
            }
        }
        catch (SocketException)
        {
            // the listener was closed: the test ends
            return;
        }
        catch (ObjectDisposedException)
        {
            return;
        }
    }

    private void Converse(Socket client, MessageSocket socket)
    {
        try
        {
            Serve(client, socket);
        }
        catch (ProtocolException)
        {
            // broken framing ends the session
            return;
        }
    }

    private void Serve(Socket client, MessageSocket socket)
    {
        while (true)
        {
            while (socket.TryParse(out ReceivedMessage message))
            {
                message.Fds?.Dispose();
                byte[] payload = message.Payload.ToArray();
                byte[]? reply = _fault(message.Header, payload) ?? Sound(message.Header, payload);
                if (reply.Length > 0)
                    socket.Send(reply);
                if (_listener.SafeHandle.IsClosed)
                    return;
            }
            if (SecondClient is not null)
                TurnAwayUntilReadable(client);
            if (socket.Receive(wait: true) == ReceiveStatus.Closed)
                return;
        }
    }

    private void TurnAwayUntilReadable(Socket client)
    {
        while (true)
        {
            List<Socket> readable = [client, _listener];
            Socket.Select(readable, null, null, Timeout.InfiniteTimeSpan);
            if (readable.Contains(client))
                return;
            using Socket second = _listener.Accept();
            using MessageSocket socket = new(second.SafeHandle);
            ReceivedMessage message;
            while (!socket.TryParse(out message))
            {
                if (socket.Receive(wait: true) == ReceiveStatus.Closed)
                    return;
            }
            socket.Send(SecondClient!(message.Header, message.Payload.ToArray()));
        }
    }

    private byte[] Sound(in MessageHeader header, byte[] payload)
    {
        if (header.IsReply)
            return [];
        byte[] reply = header.IsCommand && _negotiated != (header.Command == Command.Version) ? Serve(header, payload) : Refuse(header);
        return header.NoReply ? [] : reply;
    }

    private byte[] Serve(in MessageHeader header, byte[] payload)
    {
        switch (header.Command)
        {
            case Command.Version when VersionMessage.TryParse(payload, out ProtocolVersion version, out _, out _) == Errno.None && version.Major == 0:
                _negotiated = true;
                return Reply(header, VersionMessage.Format(version with { Minor = Math.Min(version.Minor, (ushort)1) }, Capabilities));
            case Command.DeviceGetInfo when payload.Length == DeviceInfo.WireSize:
                return Reply(header, Bytes(new DeviceInfo(DeviceInfo.WireSize, Flags, 9, 5)));
            case Command.DeviceGetRegionInfo when WireFormat.TryRead(payload, out RegionInfo region) && region.Index < 9:
                ulong size = SizeOf(region.Index);
                return Reply(header, Bytes(new RegionInfo(RegionInfo.WireSize, size == 0 ? 0 : RegionFlags.Read | RegionFlags.Write, region.Index, 0, size, 0)));
            case Command.DeviceGetIrqInfo when WireFormat.TryRead(payload, out IrqInfo irq) && irq.Index < 5:
                return Reply(header, Bytes(new IrqInfo(IrqInfo.WireSize, 0, irq.Index, 0)));
            case Command.RegionRead when InBounds(payload, out RegionAccess read):
                return Reply(header, [.. Bytes(read), .. Config.AsSpan((int)read.Offset, (int)read.Count)]);
            case Command.RegionWrite when InBounds(payload, out RegionAccess write) && payload.Length == RegionAccess.WireSize + (int)write.Count:
                if (write.Offset is >= 4 and < 0x10 or >= 0x28)
                    payload.AsSpan(RegionAccess.WireSize).CopyTo(Config.AsSpan((int)write.Offset));
                return Reply(header, Bytes(write));
            case Command.DmaMap when WireFormat.TryRead(payload, out DmaMap map) && map.Size > 0
                && !_mapped.Any(other => map.Address < other.Address + other.Size && other.Address < map.Address + map.Size):
                _mapped.Add((map.Address, map.Size));
                return Reply(header, []);
            case Command.DmaUnmap when WireFormat.TryRead(payload, out DmaUnmap unmap) && _mapped.Remove((unmap.Address, unmap.Size)):
                return Reply(header, Bytes(unmap));
            default:
                return Refuse(header);
        }
    }

    private ulong SizeOf(uint region) => region == 7 ? (ulong)Config.Length : region == 0 ? Bar0Size : 0;

    private static bool InBounds(byte[] payload, out RegionAccess access) =>
        WireFormat.TryRead(payload, out access) && access.Region == 7 && access.Offset <= 256 && access.Count <= 256 - access.Offset;

    private static byte[] Message(in MessageHeader header, ReadOnlySpan<byte> payload) =>
        [.. Bytes(header with { MessageSize = (uint)(MessageHeader.WireSize + payload.Length) }), .. payload];
}
