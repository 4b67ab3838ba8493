using System.Globalization;
using System.Security.Cryptography;
using VfioUser.Protocol;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Comparing;

/// <summary>Collects the exchanges of a recording: each command with its reply, client by client in the order of connecting. One thread.</summary>
/// <param name="ignored">Commands whose replies are not compared.</param>
internal sealed class ExchangeList(IReadOnlySet<Command> ignored) : ITraceSink
{
    // of data in a line
    private const int ShownData = 16;

    private readonly Dictionary<int, List<Draft>> _clients = [];
    private readonly Dictionary<(int Client, Way Way, ushort Id), Draft> _open = [];

    private sealed class Draft(int number, string text, byte[] digest)
    {
        public int Number => number;

        public string Text { get; set; } = text;

        public byte[] Digest { get; set; } = digest;

        public IReadOnlyList<Field> Fields { get; init; } = [];
    }

    /// <summary>Number of the record that is passed next.</summary>
    public int Number { get; set; }

    /// <summary>All of them.</summary>
    public IReadOnlyList<Exchange> All =>
        [.. _clients.Values.SelectMany(drafts => drafts).Select(draft => new Exchange(draft.Number, Convert.ToHexString(draft.Digest), draft.Text))];

    public void Connected(int client, TimeSpan time) => Add(client, new Draft(Number, "client connected", [1]));

    public void Disconnected(int client, TimeSpan time)
    {
        Add(client, new Draft(Number, "client disconnected", [2]));
        foreach ((int Client, Way, ushort) key in _open.Keys)
        {
            if (key.Client == client)
                _open.Remove(key);
        }
    }

    public void Message(in TracedMessage message)
    {
        if (!message.IsWhole || !WireFormat.TryRead(message.Bytes, out MessageHeader header))
        {
            Add(message.Client, new Draft(Number, $"{message.Bytes.Length} bytes that are no whole message", SHA256.HashData(message.Bytes)));
            return;
        }
        Fields fields = new(ShownData);
        if (!header.IsError)
            PayloadDecoder.Decode(header, message.Bytes[MessageHeader.WireSize..], fields);
        if (header.IsReply && _open.Remove((message.Client, message.Way ^ Way.ToClient, header.MessageId), out Draft? command))
        {
            Answer(command, header, message, fields.All);
            return;
        }
        string kind = header.IsReply ? " reply without a command" : header.NoReply ? " posted" : "";
        string twin = (message.Way & Way.Twin) != 0 ? "twin " : "";
        Draft draft = new(Number, $"{twin}{header.Command}{kind}{Text(": ", fields.All)}{Text(message.Fds)}", Digest([(byte)message.Way], header, message)) { Fields = fields.All };
        Add(message.Client, draft);
        if (header.IsCommand && !header.NoReply)
            _open[(message.Client, message.Way, header.MessageId)] = draft;
    }

    private void Answer(Draft command, in MessageHeader header, in TracedMessage message, IReadOnlyList<Field> fields)
    {
        if (ignored.Contains(header.Command))
            return;
        command.Digest = Digest(command.Digest, header, message);
        // a reply repeats much of its command
        string said = header.IsError ? $" refused with {DecodedMessage.ErrnoName(header.Error)}" : Text(" ", [.. fields.Where(field => !command.Fields.Contains(field))]);
        command.Text += $" →{(said.Length == 0 ? " done" : said)}{Text(message.Fds)}";
    }

    private void Add(int client, Draft draft)
    {
        if (!_clients.TryGetValue(client, out List<Draft>? drafts))
            _clients[client] = drafts = [];
        drafts.Add(draft);
    }

    // all but the id, which is arbitrary
    private static byte[] Digest(ReadOnlySpan<byte> before, in MessageHeader header, in TracedMessage message)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(before);
        Span<byte> start = stackalloc byte[MessageHeader.WireSize];
        WireFormat.Write(start, header with { MessageId = 0 });
        hash.AppendData(start);
        hash.AppendData(message.Bytes[MessageHeader.WireSize..]);
        foreach (FdFacts fd in message.Fds)
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(fd.ToString()));
        return hash.GetHashAndReset();
    }

    private static string Text(string separator, IReadOnlyList<Field> fields) =>
        fields.Count == 0 ? "" : separator + string.Join(", ", fields.Select(field => $"{field.Name} {field.Text}"));

    private static string Text(IReadOnlyList<FdFacts> fds) => fds.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {fds.Count} fd [{string.Join(", ", fds)}]");
}
