using System.Globalization;
using System.Text;
using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>Prints a trace as text, one line a message.</summary>
internal sealed class TextTrace(Terminal terminal, int dataLimit, TraceNames? names = null) : ITraceSink
{
    private readonly Outstanding _outstanding = new();
    private readonly HashSet<int> _clients = [];

    public void Connected(int client, TimeSpan time)
    {
        _clients.Add(client);
        terminal.Out.WriteLine(Line(time, $"client {client} connected"));
    }

    public void Message(in TracedMessage message)
    {
        DecodedMessage decoded = DecodedMessage.Of(message, dataLimit, _outstanding, names?.Current);
        StringBuilder line = new();
        if (_clients.Count > 1)
            line.Append(CultureInfo.InvariantCulture, $"client {message.Client} ");
        line.Append((message.Way & Way.Twin) != 0 ? "twin " : "");
        line.Append((message.Way & Way.ToClient) != 0 ? "← " : "→ ");
        line.Append(Subject(decoded));
        if (decoded.Latency is { } latency)
            line.Append(CultureInfo.InvariantCulture, $" after {latency.TotalMilliseconds:f3} ms");
        string separator = ": ";
        foreach (Field field in decoded.Fields)
        {
            line.Append(separator).Append(field.Name).Append(' ').Append(field.Text);
            separator = ", ";
        }
        if (message.Fds.Count > 0)
            line.Append(CultureInfo.InvariantCulture, $"{separator}{message.Fds.Count} fd [{string.Join(", ", message.Fds)}]");
        if (decoded.Problem is { } problem)
            line.Append(' ').Append(terminal.Red($"MALFORMED: {problem}")).Append(" [").Append(decoded.Start).Append(']');
        terminal.Out.WriteLine(Line(message.Time, line.ToString()));
    }

    public void Disconnected(int client, TimeSpan time)
    {
        _clients.Remove(client);
        _outstanding.Remove(client);
        terminal.Out.WriteLine(Line(time, $"client {client} disconnected"));
    }

    private string Subject(DecodedMessage decoded)
    {
        if (decoded.Header is not { } header)
            return "";
        string name = string.Create(CultureInfo.InvariantCulture, $"{header.Command} #{header.MessageId}");
        if (header.IsError)
            return terminal.Red($"{name} refused with {DecodedMessage.ErrnoName(header.Error)}");
        string kind = header.IsReply ? " reply" : header.NoReply ? " posted" : "";
        // bits that the specification does not name
        uint others = (uint)header.Flags & ~(uint)(MessageFlags.TypeMask | MessageFlags.NoReply | MessageFlags.Error);
        return terminal.Bold(name) + kind + (others == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" flags 0x{(uint)header.Flags:x}"));
    }

    private static string Line(TimeSpan time, string text) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,11:f6}  {text}");
}
