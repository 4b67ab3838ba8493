using System.Net.Sockets;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>The floor of a connection: accepts, receives a version, sends one of that size, and waits until the client goes.</summary>
internal static class AcceptingFloor
{
    public static void Run(string path)
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        byte[] buffer = GC.AllocateArray<byte>(4096, pinned: true);
        while (true)
        {
            using Socket client = listener.Accept();
            int socket = Bare.Raw(client.SafeHandle);
            for (int got = Bare.Receive(socket, buffer); got > 0; got = Bare.Receive(socket, buffer))
            {
                MessageHeader request = WireFormat.Read<MessageHeader>(buffer);
                WireFormat.Write(buffer, new MessageHeader(request.MessageId, request.Command, (uint)got, MessageFlags.Reply, 0));
                Bare.Send(socket, buffer.AsSpan(0, got));
            }
        }
    }
}
