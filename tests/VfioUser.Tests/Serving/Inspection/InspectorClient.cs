using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace VfioUser.Tests.Serving.Inspection;

/// <summary>An inspector that says whatever a test wants it to say.</summary>
internal sealed class InspectorClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
    {
        ReceiveTimeout = (int)Wait.Bound.TotalMilliseconds,
        SendTimeout = (int)Wait.Bound.TotalMilliseconds,
    };

    private readonly StreamReader _answers;

    public InspectorClient(string address)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? "\0" + address[1..] : address));
        _answers = new StreamReader(new NetworkStream(_socket));
    }

    public Socket Socket => _socket;

    /// <summary>The answer to a topic.</summary>
    public JsonNode Show(string topic, int from = 0) => Ask($$"""{"show":"{{topic}}","from":{{from}}}""");

    public JsonNode Ask(string line)
    {
        Say(line + "\n");
        return Hear() ?? throw new IOException("The server closed the connection where an answer was due.");
    }

    public void Say(string text) => _socket.Send(Encoding.UTF8.GetBytes(text));

    /// <summary>The next answer; null at the end.</summary>
    public JsonNode? Hear() => _answers.ReadLine() is { } line ? JsonNode.Parse(line) : null;

    public void Dispose()
    {
        _answers.Dispose();
        _socket.Dispose();
    }
}
