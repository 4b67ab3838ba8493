using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Checking;

/// <summary>The server that is checked. One thread.</summary>
/// <remarks>Most have one client at a time: a connection waits in the backlog until the one before is gone, and the version
/// reply shows that its turn has come.</remarks>
internal sealed class Subject
{
    // between two looks whether a server that ends with its client has been started again
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(20);

    private readonly string _path;
    private readonly TimeSpan _patience;
    private readonly CancellationToken _stop;
    private bool _wasThere;

    public Subject(string path, TimeSpan patience, CancellationToken stop)
    {
        _path = path;
        _patience = patience;
        _stop = stop;
        Device = new Survey(this);
    }

    /// <summary>What the server says of its device, asked for once.</summary>
    public Survey Device { get; }

    /// <summary>How long the server may take.</summary>
    public TimeSpan Patience => _patience;

    /// <summary>The process that served the last connection.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Whether the server ends with each client, and somebody starts it again.</summary>
    public bool EndsWithClients { get; set; }

    /// <summary>Connects, and says nothing.</summary>
    /// <exception cref="ServerGoneException">It was there before, and does not accept any more.</exception>
    /// <exception cref="IOException">Nobody listens there.</exception>
    public Conversation Connect()
    {
        Deadline end = Deadline.After(_patience);
        while (true)
        {
            try
            {
                SafeSocketHandle socket = ConnectCalls.Connect(_path, end.Left, _stop);
                _wasThere = true;
                int process = SocketCalls.PeerCredentials(socket).ProcessId;
                // the one before can still be accepting while it ends
                if (EndsWithClients && process == ProcessId && end.Left > TimeSpan.Zero)
                {
                    socket.Dispose();
                    Pause();
                    continue;
                }
                ProcessId = process;
                return new Conversation(socket, _patience, _stop);
            }
            catch (IOException e)
            {
                if (!_wasThere)
                    throw;
                if (end.Left <= TimeSpan.Zero)
                    throw new ServerGoneException($"the server is gone: {e.Message}");
                // the specification lets a server end with its client; whoever started it may start it again
                Pause();
            }
        }
    }

    /// <summary>Connects once, as one who does not know who else is there, and says nothing.</summary>
    /// <returns>Null when nobody lets it in.</returns>
    public Conversation? Knock(TimeSpan patience)
    {
        try
        {
            return new Conversation(ConnectCalls.Connect(_path, patience, _stop), patience, _stop);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Connects and negotiates as usual.</summary>
    public Conversation Open() => Open(Proposal.Usual);

    /// <summary>Connects and negotiates. A server that ends, and is started again, may hang up on the first try; one that is still
    /// busy with the client before may say so.</summary>
    public Conversation Open(ReadOnlySpan<byte> proposal)
    {
        Deadline end = Deadline.After(_patience);
        while (true)
        {
            Conversation conversation = Connect();
            try
            {
                conversation.Post(Command.Version, proposal);
                if (conversation.TryReceive(Command.Version) is { } answer && (answer.Errno != Errno.EBUSY || end.Left <= TimeSpan.Zero))
                {
                    conversation.Server = Agreed(answer);
                    return conversation;
                }
                if (end.Left <= TimeSpan.Zero)
                    throw new BrokenRuleException("the server hangs up instead of answering VERSION");
            }
            catch
            {
                conversation.Dispose();
                throw;
            }
            conversation.Dispose();
            Pause();
        }
    }

    private static Capabilities Agreed(Answer answer)
    {
        string? reason = answer.IsError ? VersionMessage.ReasonOf(answer.Payload) : null;
        if (answer.IsError && answer.Errno == Errno.EBUSY)
            throw new BusyServerException(reason ?? "another client is attached");
        if (answer.IsError)
            throw new BrokenRuleException($"the version proposal was {answer.Refusal}{(reason is null ? "" : $": {reason}")}");
        return VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out string? problem) == Errno.None
            ? server
            : throw new BrokenRuleException($"the version reply cannot be read: {problem}");
    }

    private void Pause()
    {
        _stop.WaitHandle.WaitOne(BetweenLooks);
        _stop.ThrowIfCancellationRequested();
    }
}
