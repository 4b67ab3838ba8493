using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Checking;

/// <summary>The server that is checked. One thread.</summary>
/// <remarks>Most servers serve one client at a time: a connection waits in the backlog until the previous client has disconnected, and
/// the version reply shows that it is accepted.</remarks>
internal sealed class Subject
{
    // how often to check whether a server that ends with its client has been started again
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(20);

    private readonly string _path;
    private readonly TimeSpan _timeout;
    private readonly CancellationToken _stop;
    private bool _hasAccepted;

    public Subject(string path, TimeSpan timeout, CancellationToken stop)
    {
        _path = path;
        _timeout = timeout;
        _stop = stop;
        Device = new Survey(this);
    }

    /// <summary>The server's description of its device, requested once.</summary>
    public Survey Device { get; }

    /// <summary>Timeout of every wait for the server.</summary>
    public TimeSpan Timeout => _timeout;

    /// <summary>The process that served the last connection.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Whether the server ends with each client, and is started again.</summary>
    public bool EndsWithClients { get; set; }

    /// <summary>Connects, and sends nothing.</summary>
    /// <exception cref="ServerGoneException">The server has accepted connections before, and does not any more.</exception>
    /// <exception cref="IOException">No server listens there.</exception>
    public Conversation Connect()
    {
        Deadline end = Deadline.After(_timeout);
        while (true)
        {
            try
            {
                SafeSocketHandle socket = ConnectCalls.Connect(_path, end.Left, _stop);
                _hasAccepted = true;
                int process = SocketCalls.PeerCredentials(socket).ProcessId;
                // the server process of the previous client may still accept while it ends
                if (EndsWithClients && process == ProcessId && end.Left > TimeSpan.Zero)
                {
                    socket.Dispose();
                    Pause();
                    continue;
                }
                ProcessId = process;
                return new Conversation(socket, _timeout, _stop);
            }
            catch (IOException e)
            {
                if (!_hasAccepted)
                    throw;
                if (end.Left <= TimeSpan.Zero)
                    throw new ServerGoneException($"the server is gone: {e.Message}");
                // the specification lets a server end with its client; it may be started again
                Pause();
            }
        }
    }

    /// <summary>Connects once, even while another client is attached, and sends nothing.</summary>
    /// <returns>Null when the server does not accept it.</returns>
    public Conversation? TryConnect(TimeSpan timeout)
    {
        try
        {
            return new Conversation(ConnectCalls.Connect(_path, timeout, _stop), timeout, _stop);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Connects and negotiates as usual.</summary>
    public Conversation Open() => Open(Proposal.Usual);

    /// <summary>Connects and negotiates. Retries if the server disconnects while it ends and is started again, or refuses because it
    /// is still busy with the previous client.</summary>
    public Conversation Open(ReadOnlySpan<byte> proposal)
    {
        Deadline end = Deadline.After(_timeout);
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
                    throw new BrokenRuleException("the server disconnects instead of answering VERSION");
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
        _stop.WaitHandle.WaitOne(RetryInterval);
        _stop.ThrowIfCancellationRequested();
    }
}
