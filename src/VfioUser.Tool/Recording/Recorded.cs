using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Recording;

/// <summary>One record of a recording. Immutable.</summary>
internal sealed record Recorded(RecordKind Kind, Way Way, int Client, TimeSpan Time, IReadOnlyList<FdFacts> Fds, byte[] Bytes)
{
    /// <summary>The header, if it is a whole message.</summary>
    public MessageHeader Header => WireFormat.Read<MessageHeader>(Bytes);

    public ReadOnlySpan<byte> Payload => Bytes.AsSpan(MessageHeader.WireSize);

    public void PassTo(ITraceSink sink)
    {
        switch (Kind)
        {
            case RecordKind.Connected:
                sink.Connected(Client, Time);
                break;
            case RecordKind.Disconnected:
                sink.Disconnected(Client, Time);
                break;
            default:
                sink.Message(new TracedMessage { Client = Client, Time = Time, Way = Way, IsWhole = Kind == RecordKind.Message, Bytes = Bytes, Fds = Fds });
                break;
        }
    }
}
