using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>Prints a trace as JSON, one object a line.</summary>
internal sealed class JsonTrace(TextWriter output, int dataLimit, TraceNames? names = null) : ITraceSink
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Outstanding _outstanding = new();

    public void Connected(int client, TimeSpan time) => Event("connected", client, time);

    public void Disconnected(int client, TimeSpan time)
    {
        _outstanding.Remove(client);
        Event("disconnected", client, time);
    }

    public void Message(in TracedMessage message)
    {
        DecodedMessage decoded = DecodedMessage.Of(message, dataLimit, _outstanding, names?.Current);
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter json = new(bytes, Options))
        {
            Begin(json, "message", message.Client, message.Time);
            json.WriteString("to", (message.Way & Way.ToClient) != 0 ? "client" : "server");
            json.WriteString("socket", (message.Way & Way.Twin) != 0 ? "twin" : "main");
            json.WriteNumber("size", message.Bytes.Length);
            if (decoded.Header is { } header)
                Write(json, header);
            if (decoded.Latency is { } latency)
                json.WriteNumber("latency", latency.TotalSeconds);
            json.WriteStartObject("fields");
            foreach (Field field in decoded.Fields)
                Write(json, field);
            json.WriteEndObject();
            json.WriteStartArray("fds");
            foreach (FdFacts fd in message.Fds)
            {
                json.WriteStartObject();
                json.WriteString("kind", fd.Kind.ToString());
                json.WriteNumber("size", fd.Size);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (decoded.Problem is { } problem)
            {
                json.WriteString("malformed", problem);
                json.WriteString("bytes", decoded.Start);
            }
            json.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    private static void Write(Utf8JsonWriter json, in MessageHeader header)
    {
        json.WriteString("command", header.Command.ToString());
        json.WriteNumber("id", header.MessageId);
        json.WriteString("kind", header.IsReply ? "reply" : header.NoReply ? "posted" : "command");
        json.WriteNumber("flags", (uint)header.Flags);
        if (header.IsError)
            json.WriteString("error", DecodedMessage.ErrnoName(header.Error));
    }

    private static void Write(Utf8JsonWriter json, Field field)
    {
        if (field.Number is { } number)
        {
            json.WriteNumber(field.Name, number);
            return;
        }
        if (field.Items is not { } items)
        {
            json.WriteString(field.Name, field.Text);
            return;
        }
        json.WriteStartArray(field.Name);
        foreach (string item in items)
            json.WriteStringValue(item);
        json.WriteEndArray();
    }

    private void Event(string what, int client, TimeSpan time)
    {
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter json = new(bytes, Options))
        {
            Begin(json, what, client, time);
            json.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    private static void Begin(Utf8JsonWriter json, string what, int client, TimeSpan time)
    {
        json.WriteStartObject();
        json.WriteString("event", what);
        json.WriteNumber("time", time.TotalSeconds);
        json.WriteNumber("client", client);
    }
}
