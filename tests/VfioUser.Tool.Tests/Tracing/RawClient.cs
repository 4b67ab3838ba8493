using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Tests.Tracing;

/// <summary>A client that says what it likes, in the pieces that it likes.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly MessageSocket _socket;

    public RawClient(string path, bool negotiate = true)
    {
        _socket = new MessageSocket(Endpoints.Connect(path, TimeSpan.FromMinutes(2), CancellationToken.None));
        if (!negotiate)
            return;
        Send(Message(1, Command.Version, VersionMessage.Format(Negotiator.Version, Negotiator.Propose(Capabilities.ClientDefaults, TwinSocketPolicy.Never))));
        Receive()!.Value.IsError.Should().BeFalse();
    }

    public static byte[] Message(ushort id, Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command)
    {
        byte[] bytes = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(bytes, new MessageHeader(id, command, (uint)bytes.Length, flags, 0));
        payload.CopyTo(bytes.AsSpan(MessageHeader.WireSize));
        return bytes;
    }

    public static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    public bool Send(ReadOnlySpan<byte> bytes, params SafeHandle[] fds) => _socket.Send(bytes, default, fds);

    /// <summary>The header of the next message; null when the server has gone.</summary>
    public MessageHeader? Receive() => Receive(out _);

    public MessageHeader? Receive(out byte[] payload)
    {
        while (true)
        {
            if (_socket.TryParse(out ReceivedMessage message))
            {
                message.Fds?.Dispose();
                payload = message.Payload.ToArray();
                return message.Header;
            }
            if (_socket.Receive(wait: true) == ReceiveStatus.Closed)
            {
                payload = [];
                return null;
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
