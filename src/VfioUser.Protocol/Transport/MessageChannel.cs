using System.Runtime.CompilerServices;

namespace VfioUser.Protocol;

/// <summary>
/// A socket on which both sides may send commands: hands the peer's commands to one thread in order, and
/// replies to whoever waits for them.
/// </summary>
/// <remarks>
/// Whoever waits may be the one who receives: at any time one thread at most has that role. A thread that waits for
/// its reply takes it when nobody has it, queues the commands that come first and leaves them to the command thread.
/// So a command's handler may call the peer on the very channel that the command came from, and so may any other
/// thread meanwhile. When more commands have come than may wait, nobody receives until the command thread takes them.
/// Spec: "Command Concurrency": "unrelated messages sent from the server to the client can appear in between a client to server request/reply and vice versa".
/// </remarks>
public sealed partial class MessageChannel : IDisposable
{
    private readonly MessageSocket _socket;
    private readonly MessageChannelOptions _options;
    private readonly object _gate = new();
    private CommandQueue _queue;
    private CommandQueue _batch;
    private int _gateWaiters; // on the gate
    private bool _receiving;
    private bool _commandInUse;
    private bool _closed;
    private int _commandThread; // its id, once there is one
    private Exception? _fault;

    /// <summary>Takes over a socket.</summary>
    public MessageChannel(MessageSocket socket, MessageChannelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
        _options = options ?? new MessageChannelOptions();
        _queue = new CommandQueue(_options);
        _batch = new CommandQueue(_options);
    }

    /// <summary>The socket beneath, for replies.</summary>
    public MessageSocket Socket => _socket;

    /// <summary>Whether a command is waiting to be handled that was received already. Command thread.</summary>
    public bool HasBufferedCommand => !_batch.IsEmpty;

    /// <summary>Called when a thread that waits for a reply has received something that it leaves to the command thread, or
    /// the end. On that thread, with a lock held: to wake somebody up and no more. Set it before there are such threads.</summary>
    internal Action? WorkQueued { get; set; }

    /// <summary>Told of a reply that is no answer to a call, with the command of the call that has its number if there is one;
    /// then it is dropped. Without it, it is handed out with the commands. On the thread that received, with a lock held. Set
    /// it before there are such threads.</summary>
    internal Action<MessageHeader, Command?>? UnmatchedReply { get; set; }

    /// <summary>Why the stream cannot be read any more; null while it can, or when it just ended.</summary>
    internal Exception? Fault
    {
        get
        {
            lock (_gate)
                return _fault;
        }
    }

    /// <summary>Whether <see cref="ReceiveCommand(bool, out ReceivedMessage)"/> has something to say that was received already.</summary>
    internal bool HasReceived
    {
        get
        {
            if (!_batch.IsEmpty)
                return true;
            lock (_gate)
                return !_queue.IsEmpty || _closed || _fault is not null;
        }
    }

    /// <summary>Takes the next command of those that came together. Command thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryNextBuffered(out ReceivedMessage message) => _batch.TryDequeue(out message);

    /// <summary>Takes the peer's next command. The one before is over then: its payload becomes invalid.</summary>
    /// <param name="wait">Whether to wait for one.</param>
    /// <param name="message">The command; or a reply that nobody waits for, which the caller refuses.</param>
    /// <exception cref="ProtocolException">The stream is broken. Everything that came before has been handed out.</exception>
    /// <remarks>Command thread: one thread at a time.</remarks>
    public ReceiveStatus ReceiveCommand(bool wait, out ReceivedMessage message) => ReceiveCommand(wait, returnsOnTimeout: false, out message);

    /// <summary>As <see cref="ReceiveCommand(bool, out ReceivedMessage)"/>, but comes back with
    /// <see cref="ReceiveStatus.Empty"/> when the socket's receive timeout was over before a command came.</summary>
    public ReceiveStatus ReceiveCommandOrTimeout(out ReceivedMessage message) => ReceiveCommand(wait: true, returnsOnTimeout: true, out message);

    private ReceiveStatus ReceiveCommand(bool wait, bool returnsOnTimeout, out ReceivedMessage message)
    {
        if (_batch.TryDequeue(out message))
            return ReceiveStatus.Received;
        lock (_gate)
        {
            _commandInUse = false;
            _commandThread = Environment.CurrentManagedThreadId;
            while (true)
            {
                if (!_queue.IsEmpty)
                {
                    // whoever waits for room receives again
                    if (_gateWaiters > 0 && _queue.IsOverLimit)
                        Monitor.PulseAll(_gate);
                    (_batch, _queue) = (_queue, _batch);
                    _commandInUse = true;
                    _batch.TryDequeue(out message);
                    return ReceiveStatus.Received;
                }
                if (_fault is not null)
                    throw new ProtocolException(_fault.Message, _fault) { Header = (_fault as ProtocolException)?.Header };
                if (_closed)
                    return ReceiveStatus.Closed;
                if (_receiving)
                {
                    if (!wait)
                        return ReceiveStatus.Empty;
                    Wait(Timeout.InfiniteTimeSpan);
                }
                else if (ReceiveOnce(wait) == ReceiveStatus.Empty && (returnsOnTimeout || !wait))
                {
                    return ReceiveStatus.Empty;
                }
            }
        }
    }

    /// <summary>Another thread than the one that receives commands handles what they lead to: it does not wait for a reply that is
    /// behind more commands than may wait. Any thread.</summary>
    /// <param name="thread">Its managed number.</param>
    /// <returns>That of the one before.</returns>
    internal int SwapCommandThread(int thread)
    {
        lock (_gate)
        {
            int before = _commandThread;
            _commandThread = thread;
            return before;
        }
    }

    /// <summary>Receives for those who wait for replies, whenever none of them does it. Returns when the channel is closed.</summary>
    /// <remarks>For a thread of its own: the reply pump of a channel that brings no commands.</remarks>
    public void PumpReplies()
    {
        lock (_gate)
        {
            while (!_closed && _fault is null)
            {
                // not one of those who are told after each receive: who waits for a reply can receive it by itself, and sooner
                if (_receiving || _replyWaiters == 0 || _queue.IsOverLimit)
                    Monitor.Wait(_gate);
                else
                    ReceiveOnce(wait: true);
            }
        }
    }

    /// <summary>Ends the conversation: whoever waits comes back. Any thread.</summary>
    public void Shutdown()
    {
        _socket.Shutdown();
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Closes the socket and whatever came and was not handled.</summary>
    /// <remarks>Once the command thread has left.</remarks>
    public void Dispose()
    {
        Shutdown();
        lock (_gate)
        {
            while (_receiving)
                Wait(Timeout.InfiniteTimeSpan);
            _queue.DisposeFds();
            _batch.DisposeFds();
        }
        _socket.Dispose();
    }

    // Under the gate, which it leaves for the receive itself. Has the role meanwhile.
    private ReceiveStatus ReceiveOnce(bool wait)
    {
        bool mayReuse = !_commandInUse && _queue.IsEmpty;
        _receiving = true;
        Monitor.Exit(_gate);
        ReceiveStatus status;
        Exception? failure = null;
        try
        {
            status = _socket.Receive(wait, mayReuse);
        }
        catch (IOException e)
        {
            (status, failure) = (ReceiveStatus.Closed, e);
        }
        finally
        {
            Monitor.Enter(_gate);
            _receiving = false;
            // they look when the gate is free, and find what follows done
            if (_gateWaiters > 0)
                Monitor.PulseAll(_gate);
        }
        if (status == ReceiveStatus.Received)
            failure = ParseAll();
        else if (status == ReceiveStatus.Closed)
            _closed = true;
        _fault ??= failure;
        if (_closed || _fault is not null)
            Monitor.PulseAll(_gate);
        return status;
    }

    private void Wait(TimeSpan timeout)
    {
        _gateWaiters++;
        try
        {
            Monitor.Wait(_gate, timeout);
        }
        finally
        {
            _gateWaiters--;
        }
    }

    private ProtocolException? ParseAll()
    {
        try
        {
            while (true)
            {
                if (_socket.TryTakeRun(out MessageRun run))
                {
                    _queue.Enqueue(run);
                    _socket.KeepParsed();
                    if (_socket.IsParsed)
                        break;
                }
                if (!_socket.TryParse(out ReceivedMessage message))
                    break;
                if (message.Header.IsReply && TryComplete(message))
                    continue;
                _queue.Enqueue(message);
                _socket.KeepParsed();
            }
        }
        catch (ProtocolException e)
        {
            return e;
        }
        // with a command thread nothing is received from here on until it has taken what there is
        return _commandThread == 0 && _queue.IsOverLimit
            ? new ProtocolException("The peer sends commands where nobody handles any.")
            : null;
    }
}
