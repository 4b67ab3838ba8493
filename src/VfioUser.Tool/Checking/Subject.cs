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
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

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
                ProcessId = SocketCalls.PeerCredentials(socket.SafeHandle).ProcessId;
                return new Conversation(SocketCalls.Duplicate(socket.SafeHandle), _patience, _stop);
            }
            catch (SocketException e)
            {
                if (!_wasThere)
                    throw new IOException($"Cannot connect to '{_path}': {e.Message}", e);
                if (Environment.TickCount64 >= end)
                    throw new ServerGoneException($"the server is gone: {e.Message}");
                // the specification lets a server end with its client; whoever started it may start it again
                _stop.WaitHandle.WaitOne(Pause);
                _stop.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Connects and negotiates as usual.</summary>
    public Conversation Open() => Open(Proposal.Usual);

    /// <summary>Connects and negotiates.</summary>
    public Conversation Open(ReadOnlySpan<byte> proposal)
    {
        Conversation conversation = Connect();
        try
        {
            Answer answer = conversation.Ask(Command.Version, proposal);
            if (answer.IsError)
                throw new BrokenRuleException($"the version proposal was refused with {answer.Errno}");
            if (VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out string? problem) != Errno.None)
                throw new BrokenRuleException($"the version reply cannot be read: {problem}");
            conversation.Server = server;
            return conversation;
        }
        catch
        {
            conversation.Dispose();
            throw;
        }
    }
}
