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

    /// <summary>The process that served the last connection.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Whether the server ends with each client, and somebody starts it again.</summary>
    public bool EndsWithClients { get; set; }

    /// <summary>Connects, and says nothing.</summary>
    /// <exception cref="ServerGoneException">It was there before, and does not accept any more.</exception>
    /// <exception cref="IOException">Nobody listens there.</exception>
    public Conversation Connect()
    {
        long end = Environment.TickCount64 + (long)_patience.TotalMilliseconds;
        while (true)
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(_path[0] == '@' ? "\0" + _path[1..] : _path));
                _wasThere = true;
                int process = SocketCalls.PeerCredentials(socket.SafeHandle).ProcessId;
                // the one before can still be accepting while it ends
                if (EndsWithClients && process == ProcessId && Environment.TickCount64 < end)
                {
                    Pause();
                    continue;
                }
                ProcessId = process;
                return new Conversation(SocketCalls.Duplicate(socket.SafeHandle), _patience, _stop);
            }
            catch (SocketException e)
            {
                if (!_wasThere)
                    throw new IOException($"Cannot connect to '{_path}': {e.Message}", e);
                if (Environment.TickCount64 >= end)
                    throw new ServerGoneException($"the server is gone: {e.Message}");
                // the specification lets a server end with its client; whoever started it may start it again
                Pause();
            }
        }
    }

    /// <summary>Connects and negotiates as usual.</summary>
    public Conversation Open() => Open(Proposal.Usual);

    /// <summary>Connects and negotiates. A server that ends, and is started again, may hang up on the first try.</summary>
    public Conversation Open(ReadOnlySpan<byte> proposal)
    {
        long end = Environment.TickCount64 + (long)_patience.TotalMilliseconds;
        while (true)
        {
            Conversation conversation = Connect();
            try
            {
                conversation.Post(Command.Version, proposal);
                if (conversation.TryReceive(Command.Version) is { } answer)
                {
                    conversation.Server = Agreed(answer);
                    return conversation;
                }
                if (Environment.TickCount64 >= end)
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
        if (answer.IsError)
            throw new BrokenRuleException($"the version proposal was refused with {answer.Errno}");
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
