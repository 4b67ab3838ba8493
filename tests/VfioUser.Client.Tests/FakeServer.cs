using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Client.Tests;

/// <summary>A server that says what the test wants it to say.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly Background<VfioUserClient> _client;

    public FakeServer(VfioUserClientOptions? options = null)
    {
        (Peer, SafeSocketHandle socket) = RawPeer.ConnectBare();
        _client = Background.Run(() => VfioUserClient.FromConnected(socket, options));
    }

    public static VfioUserClientOptions NoTwin { get; } = new() { TwinSocket = TwinSocketPolicy.Never };

    public RawPeer Peer { get; }

    /// <summary>The client, once it has negotiated.</summary>
    public VfioUserClient Client => _client.Result;

    /// <summary>A server that has negotiated without anything special.</summary>
    public static FakeServer Negotiated(VfioUserClientOptions? options = null)
    {
        FakeServer server = new(options ?? NoTwin);
        server.AnswerVersion("""{"capabilities":{"max_msg_fds":8}}""");
        _ = server.Client;
        return server;
    }

    /// <summary>What the client proposes.</summary>
    public (MessageHeader Header, ProtocolVersion Version, Capabilities Capabilities) ReadProposal()
    {
        byte[] message = Peer.ReadMessage()!;
        VersionMessage.TryParse(message.AsSpan(MessageHeader.WireSize), out ProtocolVersion version, out Capabilities capabilities, out _)
            .Should().Be(Errno.None);
        return (WireFormat.Read<MessageHeader>(message), version, capabilities);
    }

    public void AnswerVersion(string json, params SafeHandle[] fds) => AnswerVersion(new ProtocolVersion(0, 1), Encoding.UTF8.GetBytes(json + "\0"), fds);

    public void AnswerVersion(ProtocolVersion version, byte[] text, params SafeHandle[] fds)
    {
        byte[] payload = new byte[ProtocolVersion.WireSize + text.Length];
        WireFormat.Write(payload, version);
        text.CopyTo(payload, ProtocolVersion.WireSize);
        AnswerVersion(payload, fds);
    }

    public void AnswerVersion(byte[] payload, params SafeHandle[] fds) =>
        Peer.Write(Frame.Reply(ReadProposal().Header.MessageId, Command.Version, payload), fds);

    public T Read<T>(out MessageHeader header)
        where T : unmanaged
    {
        byte[] message = Peer.ReadMessage()!;
        header = WireFormat.Read<MessageHeader>(message);
        return WireFormat.Read<T>(message.AsSpan(MessageHeader.WireSize));
    }

    public void Answer<T>(in MessageHeader request, T payload, byte[]? more = null, params SafeHandle[] fds)
        where T : unmanaged =>
        Peer.Write(Frame.Reply(request.MessageId, request.Command, [.. MemoryMarshal.AsBytes([payload]), .. more ?? []]), fds);

    public void Dispose()
    {
        Peer.Dispose();
        try
        {
            Client.Dispose();
        }
        catch (Exception e) when (e is ProtocolException or VfioUserException)
        {
            // there never was one
        }
    }
}
