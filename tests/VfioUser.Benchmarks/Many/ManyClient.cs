using System.Net.Sockets;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A client that has attached, and reads a register over and over.</summary>
internal sealed class ManyClient : IDisposable
{
    private static readonly byte[] Request = Requests.Read(RegionIndex.Bar0, 0, sizeof(uint));
    private static readonly int ReplySize = Request.Length + sizeof(uint);

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly byte[] _reply = GC.AllocateArray<byte>(4096, pinned: true);

    public ManyClient(string path)
    {
        Connect(path);
        AwaitAttached();
    }

    private ManyClient()
    {
    }

    private int Raw => Bare.Raw(_socket.SafeHandle);

    /// <summary>Attaches many at once: all have connected and proposed a version before the first reply is read.</summary>
    public static ManyClient[] AttachAll(string[] paths)
    {
        ManyClient[] clients = [.. paths.Select(_ => new ManyClient())];
        for (int i = 0; i < clients.Length; i++)
            clients[i].Connect(paths[i]);
        foreach (ManyClient client in clients)
            client.AwaitAttached();
        return clients;
    }

    public void Ask() => Bare.Send(Raw, Request);

    public void Hear() => Bare.ReceiveExactly(Raw, _reply.AsSpan(0, ReplySize));

    public void Dispose() => _socket.Dispose();

    private void Connect(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        Bare.Send(Raw, Requests.Version());
    }

    private void AwaitAttached()
    {
        Span<byte> header = _reply.AsSpan(0, MessageHeader.WireSize);
        Bare.ReceiveExactly(Raw, header);
        Bare.ReceiveExactly(Raw, _reply.AsSpan(0, (int)WireFormat.Read<MessageHeader>(header).MessageSize - MessageHeader.WireSize));
    }
}
