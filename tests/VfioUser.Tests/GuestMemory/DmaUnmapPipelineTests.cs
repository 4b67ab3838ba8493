using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests;

public class DmaUnmapPipelineTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public async Task A_finished_reply_does_not_wait_for_the_unmap_after_it()
    {
        // a virtual CPU waits for the first, and perhaps the lease ends only when it goes on
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        using MessageSocket client = new(clientEnd);
        BlankDevice device = new();
        using VfioUserServer server = VfioUserServer.FromConnected(serverEnd);
        Task serving = server.RunAsync(device);
        client.SetReceiveTimeout(Background.Timeout);
        client.Send([.. Message(1, Command.Version, VersionMessage.Format(Negotiator.Version, Capabilities.ClientDefaults))]);
        NextReply(client).MessageId.Should().Be(1);
        client.Send([.. Message(2, Command.DmaMap, Bytes(new DmaMap(DmaMap.WireSize, DmaRig.ReadWrite, 0, At, 0x1000)))]);
        NextReply(client).MessageId.Should().Be(2);
        device.Dma.TryLease(new Iova(At), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();

        client.Send([
            .. Message(3, Command.DeviceGetInfo, Bytes(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0))),
            .. Message(4, Command.DmaUnmap, Bytes(new DmaUnmap(DmaUnmap.WireSize, 0, At, 0x1000))),
        ]);

        NextReply(client).MessageId.Should().Be(3);
        lease.Dispose();
        NextReply(client).Should().Match<MessageHeader>(reply => reply.MessageId == 4 && !reply.IsError);
        client.Shutdown();
        await serving.WaitAsync(Background.Timeout);
    }

    private static byte[] Message(ushort id, Command command, byte[] payload) =>
        [.. Bytes(new MessageHeader(id, command, (uint)(MessageHeader.WireSize + payload.Length), MessageFlags.Command, 0)), .. payload];

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    private static MessageHeader NextReply(MessageSocket socket)
    {
        ReceivedMessage message;
        while (!socket.TryParse(out message))
            socket.Receive(wait: true).Should().Be(ReceiveStatus.Received, "a reply is due");
        return message.Header;
    }
}
