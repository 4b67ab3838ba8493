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
        using Bound bound = new(socket.Shutdown);
        ReceivedMessage message;
        while (!socket.TryParse(out message))
            socket.Receive(wait: true).Should().Be(ReceiveStatus.Received, Bound.Why);
        return Of(message);
    }

    /// <summary>Takes the channel's next command.</summary>
    public static Incoming Next(MessageChannel channel)
    {
        using Bound bound = new(channel.Shutdown);
        channel.ReceiveCommand(wait: true, out ReceivedMessage message).Should().Be(ReceiveStatus.Received, Bound.Why);
        return Of(message);
    }

    // a message that never comes ends the conversation, and with it the test
    private sealed class Bound : IDisposable
    {
        private readonly CancellationTokenSource _source = new(Background.Timeout);
        private readonly CancellationTokenRegistration _registration;

        public Bound(Action end) => _registration = _source.Token.Register(end);

        public static string Why => $"a message was due within {Background.Timeout}";

        public void Dispose()
        {
            _registration.Dispose();
            _source.Dispose();
        }
    }
}
