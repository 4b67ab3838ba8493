using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace VfioUser.Testing.Linux;

/// <summary>QEMU's monitor: commands, their answers, and events.</summary>
/// <remarks>One caller at a time.</remarks>
internal sealed class QmpMonitor : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly Socket _socket;
    private readonly StreamReader _reader;
    private readonly Queue<JsonNode> _events = new();

    private QmpMonitor(Socket socket)
    {
        _socket = socket;
        _reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
    }

    public static async Task<QmpMonitor> Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        var monitor = new QmpMonitor(socket);
        await monitor.Read(); // the greeting
        await monitor.Execute("qmp_capabilities");
        return monitor;
    }

    /// <summary>Runs a command that must not fail.</summary>
    public async Task<JsonNode?> Execute(string command, JsonObject? arguments = null)
    {
        var request = new JsonObject { ["execute"] = command };
        if (arguments is not null)
        {
            request["arguments"] = arguments;
        }

        await _socket.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString() + "\n"));
        while (true)
        {
            JsonNode answer = await Read();
            if (answer["event"] is not null)
            {
                _events.Enqueue(answer);
            }
            else
            {
                return answer["error"] is null ? answer["return"]
                    : throw new InvalidOperationException($"{request.ToJsonString()} was answered with {answer.ToJsonString()}");
            }
        }
    }

    /// <summary>Waits for an event about a device, past or to come; those before it are dropped.</summary>
    public async Task WaitForEvent(string name, string device)
    {
        while (true)
        {
            JsonNode message = _events.Count > 0 ? _events.Dequeue() : await Read();
            if (string.Equals((string?)message["event"], name, StringComparison.Ordinal) && string.Equals((string?)message["data"]?["device"], device, StringComparison.Ordinal))
            {
                return;
            }
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _socket.Dispose();
    }

    private async Task<JsonNode> Read()
    {
        string line = await _reader.ReadLineAsync().WaitAsync(Timeout) ?? throw new EndOfStreamException("QEMU has closed its monitor");
        return JsonNode.Parse(line) ?? throw new InvalidDataException("QEMU sent null");
    }
}
