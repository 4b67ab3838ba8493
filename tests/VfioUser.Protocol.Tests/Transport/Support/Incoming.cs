namespace VfioUser.Protocol.Tests.Transport;

/// <summary>A message that was received, copied out of the buffer.</summary>
internal sealed record Incoming(MessageHeader Header, byte[] Payload, FdList? Fds, Errno FdProblem)
{
    public int FdCount => Fds?.Count ?? 0;

    public byte[] Bytes => Frame.Message(Header, Payload);

    public static Incoming Of(in ReceivedMessage message) => new(message.Header, message.Payload.ToArray(), message.Fds, message.FdProblem);

    /// <summary>Receives until a message is complete.</summary>
    public static Incoming Next(MessageSocket socket)
    {
        ReceivedMessage message;
        while (!socket.TryParse(out message))
            socket.Receive(wait: true).Should().Be(ReceiveStatus.Received);
        return Of(message);
    }

    /// <summary>Takes the channel's next command.</summary>
    public static Incoming Next(MessageChannel channel)
    {
        channel.ReceiveCommand(wait: true, out ReceivedMessage message).Should().Be(ReceiveStatus.Received);
        return Of(message);
    }
}
