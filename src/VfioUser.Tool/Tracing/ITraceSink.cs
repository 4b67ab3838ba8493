namespace VfioUser.Tool.Tracing;

/// <summary>Receives the events of a trace, in order. One call at a time.</summary>
internal interface ITraceSink
{
    void Connected(int client, TimeSpan time);

    void Message(in TracedMessage message);

    void Disconnected(int client, TimeSpan time);
}
