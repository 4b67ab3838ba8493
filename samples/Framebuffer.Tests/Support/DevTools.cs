using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Framebuffer.Tests.Support;

/// <summary>The DevTools protocol: numbered commands in JSON, and their answers.</summary>
/// <remarks>One command at a time. Source: https://chromedevtools.github.io/devtools-protocol/.</remarks>
internal sealed class DevTools : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly HashSet<(string? Session, string? Event)> _happened = [];
    private int _lastId;

    private DevTools()
    {
    }

    public static async Task<DevTools> ConnectAsync(Uri address)
    {
        DevTools devTools = new();
        await devTools._socket.ConnectAsync(address, CancellationToken.None).WaitAsync(Timeout);
        return devTools;
    }

    /// <summary>Sends a command, to the browser or to one page, and returns its result.</summary>
    public async Task<JsonNode> SendAsync(string method, JsonObject? parameters = null, string? session = null)
    {
        int id = ++_lastId;
        JsonObject command = new() { ["id"] = id, ["method"] = method, ["params"] = parameters ?? [] };
        if (session is not null)
            command["sessionId"] = session;
        await _socket.SendAsync(Encoding.UTF8.GetBytes(command.ToJsonString()), WebSocketMessageType.Text, true, CancellationToken.None).WaitAsync(Timeout);
        while (true)
        {
            JsonNode message = await ReceiveAsync();
            if ((int?)message["id"] == id)
                return message["result"] ?? throw new IOException($"{method}: {message["error"]}");
        }
    }

    /// <summary>Waits for the first event of a kind, which may have happened already.</summary>
    public async Task WaitForAsync(string method, string session)
    {
        while (!_happened.Contains((session, method)))
            await ReceiveAsync();
    }

    public void Dispose() => _socket.Dispose();

    private async Task<JsonNode> ReceiveAsync()
    {
        using MemoryStream message = new();
        byte[] piece = new byte[16 << 10];
        WebSocketReceiveResult result;
        do
        {
            result = await _socket.ReceiveAsync(piece, CancellationToken.None).WaitAsync(Timeout);
            if (result.MessageType == WebSocketMessageType.Close)
                throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
            message.Write(piece, 0, result.Count);
        }
        while (!result.EndOfMessage);
        JsonNode parsed = JsonNode.Parse(message.ToArray()) ?? throw new IOException("DevTools said nothing.");
        _happened.Add(((string?)parsed["sessionId"], (string?)parsed["method"])); // answers have no method
        return parsed;
    }
}
