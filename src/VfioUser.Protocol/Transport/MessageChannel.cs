using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace VfioUser.Protocol;

/// <summary>
/// A socket on which both sides may send commands: passes the peer's commands to one thread in order, and replies to the
/// threads that wait for them.
/// </summary>
/// <remarks>
/// Threads that wait share the socket as leader and followers: at most one, the leader, receives; the others wait. A leader
/// that waits for its reply passes other replies to their threads, and queues commands for the Command thread.
/// So the handler of a command may call the peer on the channel that the command came from, and so may any other thread
/// meanwhile. When the queue is full, no thread receives until the Command thread has dequeued the commands.
/// Spec: "Command Concurrency": "unrelated messages sent from the server to the client can appear in between a client to server request/reply and vice versa".
/// </remarks>
[Experimental(Experiments.Transport)]
public sealed partial class MessageChannel : IDisposable
{
    private readonly MessageSocket _socket;
    private readonly MessageChannelOptions _options;
    private readonly object _gate = new();
    private CommandQueue _queue;
    private CommandQueue _batch;
    private int _gateWaiters; // threads that wait on the gate
    private bool _receiving; // there is a leader
    private bool _commandInUse;
    private bool _closed;
    private int _commandThread; // its managed ID; 0 before its first receive
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

    /// <summary>The socket, for replies.</summary>
    public MessageSocket Socket => _socket;

    /// <summary>Whether <see cref="TryNextBuffered"/> has a command. Command thread.</summary>
    public bool HasBufferedCommand => !_batch.IsEmpty;

    /// <summary>Called when a thread that waits for a reply has queued work for the Command thread: commands, or the end of the
    /// stream. On that thread, with a lock held: it must only wake a thread. Set it before there are such threads.</summary>
    internal Action? WorkQueued { get; set; }

    /// <summary>Called with a reply that matches no call, and with the command of the pending call with its message ID, if there is
    /// one; the reply is dropped. If null, such replies are returned like commands. On the receiving thread, with a lock held. Set
    /// it before there are such threads.</summary>
    internal Action<MessageHeader, Command?>? UnmatchedReply { get; set; }

    /// <summary>Where the ends of large commands belong; null to receive them as a whole. Asked while a Command thread waits. Set it before
    /// there are other threads.</summary>
    internal IPayloadPlacement? Placement { get; set; }

    /// <summary>Why the stream cannot be read any more; null while it can, and after a regular end.</summary>
    internal Exception? Fault
    {
        get
        {
            lock (_gate)
                return _fault;
        }
    }

    /// <summary>Whether <see cref="ReceiveCommand(bool, out ReceivedMessage)"/> would return without receiving: with a command, or
    /// the end of the stream.</summary>
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

    /// <summary>The socket's buffer, for another one; null if it has grown, or another thread than the Command thread may still receive
    /// into it. Command thread, after <see cref="Dispose"/>.</summary>
    internal byte[]? SpareBuffer
    {
        get
        {
            lock (_gate)
                return _createdCalls == 0 && !_receiving ? _socket.SpareBuffer : null;
        }
    }

    /// <summary>Takes the next of the commands that were received together. Command thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryNextBuffered(out ReceivedMessage message) => _batch.TryDequeue(out message);

    /// <summary>Takes the peer's next command. The payload of the previous one becomes invalid.</summary>
    /// <param name="wait">Whether to wait for one.</param>
    /// <param name="message">The command; or a reply that matches no call, which the caller drops.</param>
    /// <exception cref="ProtocolException">The stream is broken. All commands before have been returned.</exception>
    /// <remarks>Command thread: one thread at a time.</remarks>
    public ReceiveStatus ReceiveCommand(bool wait, out ReceivedMessage message) => ReceiveCommand(wait, returnsOnTimeout: false, out message);

    /// <summary>As <see cref="ReceiveCommand(bool, out ReceivedMessage)"/> with a wait, but returns
    /// <see cref="ReceiveStatus.Empty"/> if the socket's receive timeout expires before a command arrives.</summary>
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
                    // threads that wait for room in the queue can receive again
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
                else if (ReceiveOnce(wait, wait ? Placement : null) == ReceiveStatus.Empty && (returnsOnTimeout || !wait))
                {
                    return ReceiveStatus.Empty;
                }
            }
        }
    }

    /// <summary>Makes another thread the Command thread: its calls fail instead of waiting for a reply behind a full queue. Any
    /// thread.</summary>
    /// <param name="thread">Its managed ID.</param>
    /// <returns>The managed ID of the previous one.</returns>
    internal int SwapCommandThread(int thread)
    {
        lock (_gate)
        {
            int before = _commandThread;
            _commandThread = thread;
            return before;
        }
    }

    /// <summary>Receives replies while other threads wait for them and none of them receives. Returns when the channel is closed.</summary>
    /// <remarks>For a separate thread: the reply pump of a channel without commands.</remarks>
    public void PumpReplies()
    {
        lock (_gate)
        {
            while (!_closed && _fault is null)
            {
                // not counted in _gateWaiters, so not woken after each receive: a thread that waits for a reply is faster
                if (_receiving || _replyWaiters == 0 || _queue.IsOverLimit)
                    Monitor.Wait(_gate);
                else
                    ReceiveOnce(wait: true);
            }
        }
    }

    /// <summary>Shuts the socket down: all waiting threads return. Any thread.</summary>
    public void Shutdown()
    {
        _socket.Shutdown();
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Closes the socket, and the descriptors of commands that were not handled.</summary>
    /// <remarks>Call it when the Command thread no longer uses the channel.</remarks>
    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
            if (_receiving)
                _socket.Shutdown();
            while (_receiving)
                Wait(Timeout.InfiniteTimeSpan);
            _queue.DisposeFds();
            _batch.DisposeFds();
        }
        _socket.Dispose();
    }

    // Holding _gate, which it releases for the receive itself. The thread is the leader meanwhile.
    private ReceiveStatus ReceiveOnce(bool wait, IPayloadPlacement? placement = null)
    {
        bool mayReuse = !_commandInUse && _queue.IsEmpty;
        _receiving = true;
        Monitor.Exit(_gate);
        ReceiveStatus status = ReceiveStatus.Empty;
        ReceivedMessage placed = default;
        Exception? failure = null;
        try
        {
            if (placement is not null)
                status = _socket.ReceiveInPlace(placement, mayReuse, out placed);
            if (status == ReceiveStatus.Empty)
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
            // they run when the gate is free, after the messages are parsed
            if (_gateWaiters > 0)
                Monitor.PulseAll(_gate);
        }
        if (!placed.Payload.IsEmpty)
            Enqueue(placed);
        else if (status == ReceiveStatus.Received)
            failure = ParseAll();
        else if (status == ReceiveStatus.Closed)
            _closed = true;
        _fault ??= failure;
        if (_closed || _fault is not null)
            Monitor.PulseAll(_gate);
        return status;
    }

    private void Enqueue(in ReceivedMessage message)
    {
        _queue.Enqueue(message);
        _socket.KeepParsed();
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
                if (!message.Header.IsReply || !TryComplete(message))
                    Enqueue(message);
            }
        }
        catch (ProtocolException e)
        {
            return e;
        }
        // with a Command thread, nothing more is received until it has dequeued the commands
        return _commandThread == 0 && _queue.IsOverLimit
            ? new ProtocolException("The peer sends commands on a socket that is only for replies.")
            : null;
    }
}
