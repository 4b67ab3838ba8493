using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <content>Commands to the peer, and their replies.</content>
public sealed partial class MessageChannel
{
    private const int MaxOnStack = 1024;
    private const int FirstCalls = 4;

    private PendingCall?[] _calls = []; // grows up to PendingCall.MaxConcurrent
    private readonly Stack<PendingCall> _freeCalls = new();
    private readonly Queue<PendingCall> _abandonedCalls = new();
    private readonly ReplyBuffers _replyBuffers = new();
    private int _createdCalls;
    private int _activeCalls;
    private int _replyWaiters; // threads that wait for a reply
    private bool _hasReceiveTimeout;
    private Deadline? _callsEnd;

    /// <summary>Sends a command and waits for its reply.</summary>
    /// <param name="command">The command.</param>
    /// <param name="head">The payload, or its first part.</param>
    /// <param name="tail">The rest of the payload; sent without a copy.</param>
    /// <param name="fds">Descriptors to send with it; borrowed.</param>
    /// <remarks>Any thread. On the Command thread it fails with <see cref="Errno.ENOMEM"/> if more commands arrive before the reply
    /// than may be queued.</remarks>
    public Reply Call(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default, ReadOnlySpan<SafeHandle> fds = default)
    {
        Deadline deadline = Deadline.After(_options.CallTimeout);
        return TryStart(command, head, tail, fds, deadline, wait: true, out ushort id, out Errno failure)
            ? Finish(id, deadline)
            : new Reply(this, null, failure);
    }

    /// <summary>Sends a command; <see cref="Finish(ushort)"/> waits for its reply, so that several can be in flight.</summary>
    /// <param name="command">The command.</param>
    /// <param name="head">The payload, or its first part.</param>
    /// <param name="tail">The rest of the payload; sent without a copy.</param>
    /// <param name="wait">Whether to wait while too many calls are in flight. A thread with a call in flight must not:
    /// two such threads could wait for each other.</param>
    /// <param name="id">To pass to <see cref="Finish(ushort)"/> or <see cref="Abandon"/>, on the same thread.</param>
    /// <param name="failure">EAGAIN if too many calls are in flight; otherwise as <see cref="Reply.Errno"/>.</param>
    internal bool TryStart(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, bool wait, out ushort id, out Errno failure) =>
        TryStart(command, head, tail, default, Deadline.After(_options.CallTimeout), wait, out id, out failure);

    /// <summary>Waits for the reply to a command that was sent, up to the call timeout from now.</summary>
    internal Reply Finish(ushort id) => Finish(id, Deadline.After(_options.CallTimeout));

    /// <summary>Abandons a command that was sent: its reply will be dropped.</summary>
    internal void Abandon(ushort id) => Release(_calls[PendingCall.IndexOf(id)]!, id);

    /// <summary>Limits the time of all calls together, current and new ones, until <see cref="LiftLimit"/>; then they fail with
    /// ECANCELED.</summary>
    /// <param name="left">The time limit.</param>
    internal void LimitCalls(TimeSpan left)
    {
        lock (_gate)
        {
            _callsEnd ??= Deadline.After(left);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends the limit of <see cref="LimitCalls"/>.</summary>
    internal void LiftLimit()
    {
        lock (_gate)
            _callsEnd = null;
    }

    private bool TryStart(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, ReadOnlySpan<SafeHandle> fds,
        Deadline deadline, bool wait, out ushort id, out Errno failure)
    {
        id = 0;
        PendingCall? call = BeginCall(command, deadline, wait, out failure);
        if (call is null)
            return false;
        id = call.MessageId;
        bool sent = false;
        try
        {
            failure = SendCommand(id, command, MessageFlags.Command, head, tail, fds, deadline);
            sent = failure == Errno.None;
        }
        finally
        {
            if (!sent)
                Release(call, id);
        }
        return sent;
    }

    private Reply Finish(ushort id, Deadline deadline)
    {
        PendingCall call = _calls[PendingCall.IndexOf(id)]!;
        bool answered = false;
        MessageHeader header = default;
        Errno failure;
        string? reason = null;
        try
        {
            failure = AwaitReply(call, deadline);
            if (failure == Errno.None)
            {
                header = call.Reply;
                failure = call.Failure;
                // the only error reply with a reason in its payload
                if (failure != Errno.None && header.Command == Command.Version)
                    reason = VersionMessage.ReasonOf(call.Payload);
            }
            answered = failure == Errno.None;
        }
        finally
        {
            if (!answered)
                Release(call, id);
        }
        return new Reply(this, answered ? call : null, failure, header, reason);
    }

    /// <summary>Sends a command that requests no reply.</summary>
    /// <returns>False if the peer has disconnected, or does not read within the call timeout.</returns>
    public bool Post(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default) => TryPost(command, head, tail) == Errno.None;

    /// <summary>As <see cref="Post"/>, but returns the cause of a failure: ENOTCONN or ETIMEDOUT.</summary>
    internal Errno TryPost(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail) =>
        SendCommand(0, command, MessageFlags.NoReply, head, tail, default, Deadline.After(_options.CallTimeout));

    internal void Release(PendingCall call, ushort messageId)
    {
        lock (_gate)
        {
            // released before, and perhaps in use by another call
            if (!call.Active || call.MessageId != messageId)
                return;
            // reuse an abandoned call's message IDs as late as possible, since its reply may still arrive
            if (call.Done)
                _freeCalls.Push(call);
            else
                _abandonedCalls.Enqueue(call);
            call.End();
            _activeCalls--;
            if (_gateWaiters > 0)
                Monitor.PulseAll(_gate);
        }
    }

    // Whether this is the Command thread and the queue is full: the reply is behind commands that only this thread can dequeue.
    private bool MustHandleFirst => _queue.IsOverLimit && Environment.CurrentManagedThreadId == _commandThread;

    private Errno SendCommand(ushort id, Command command, MessageFlags flags, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail,
        ReadOnlySpan<SafeHandle> fds, Deadline deadline)
    {
        int length = MessageHeader.WireSize + head.Length;
        Span<byte> first = length <= MaxOnStack ? stackalloc byte[length] : new byte[length];
        uint size = (uint)(first.Length + tail.Length);
        WireFormat.Write(first, new MessageHeader(id, command, size, flags, 0));
        head.CopyTo(first[MessageHeader.WireSize..]);
        return _socket.Send(first, tail, fds, deadline);
    }

    private PendingCall? BeginCall(Command command, Deadline deadline, bool wait, out Errno failure)
    {
        lock (_gate)
        {
            while (true)
            {
                failure = Errno.None;
                if (_closed || _fault is not null)
                {
                    failure = Errno.ENOTCONN;
                    return null;
                }
                if (MustHandleFirst)
                {
                    failure = Errno.ENOMEM;
                    return null;
                }
                if (!_hasReceiveTimeout)
                {
                    // so that the receiving thread checks its deadline from time to time
                    _hasReceiveTimeout = true;
                    double eighth = deadline.IsNever ? double.MaxValue : _options.CallTimeout.TotalMilliseconds / 8;
                    _socket.SetReceiveTimeout(TimeSpan.FromMilliseconds(Math.Clamp(eighth, 1, 250)));
                }
                if (_activeCalls < _options.MaxConcurrentCalls && TryTakeCall(out PendingCall? call))
                {
                    _activeCalls++;
                    call.Begin(command);
                    return call;
                }
                if (!wait)
                {
                    failure = Errno.EAGAIN;
                    return null;
                }
                TimeSpan left = TimeLeft(deadline, out failure);
                if (left <= TimeSpan.Zero)
                    return null;
                Wait(left);
            }
        }
    }

    private bool TryTakeCall([NotNullWhen(true)] out PendingCall? call)
    {
        if (_freeCalls.TryPop(out call))
            return true;
        if (_createdCalls == PendingCall.MaxConcurrent)
            return _abandonedCalls.TryDequeue(out call);
        if (_createdCalls == _calls.Length)
            Array.Resize(ref _calls, Math.Clamp(2 * _createdCalls, FirstCalls, PendingCall.MaxConcurrent));
        call = _calls[_createdCalls] = new PendingCall(_createdCalls, _replyBuffers);
        _createdCalls++;
        return true;
    }

    private Errno AwaitReply(PendingCall call, Deadline deadline)
    {
        lock (_gate)
        {
            _replyWaiters++;
            try
            {
                while (!call.Done)
                {
                    if (_closed || _fault is not null)
                        return Errno.ENOTCONN;
                    TimeSpan left = TimeLeft(deadline, out Errno failure);
                    if (left <= TimeSpan.Zero)
                        return failure;
                    if (MustHandleFirst)
                        return Errno.ENOMEM;
                    if (_receiving || _queue.IsOverLimit)
                        Wait(left);
                    else
                        ReceiveForOthers();
                }
                return Errno.None;
            }
            finally
            {
                _replyWaiters--;
            }
        }
    }

    // Holding _gate.
    private TimeSpan TimeLeft(Deadline deadline, out Errno failure)
    {
        TimeSpan left = deadline.Left;
        failure = Errno.ETIMEDOUT;
        if (_callsEnd is { } end && end.Left < left)
        {
            left = end.Left;
            failure = Errno.ECANCELED;
        }
        return left;
    }

    private void ReceiveForOthers()
    {
        ReceiveOnce(wait: true);
        if (WorkQueued is { } wake && (!_queue.IsEmpty || _closed || _fault is not null))
            wake();
    }

    private bool TryComplete(in ReceivedMessage reply)
    {
        ushort id = reply.Header.MessageId;
        int index = PendingCall.IndexOf(id);
        PendingCall? call = index < _calls.Length ? _calls[index] : null;
        bool awaited = call is { Active: true, Done: false } && call.MessageId == id;
        if (awaited && call!.Command == reply.Header.Command)
        {
            call.Complete(reply);
            return true;
        }
        if (call is null || !call.DiscardAbandoned(id))
        {
            if (UnmatchedReply is not { } unmatched)
                return false;
            unmatched(reply.Header, awaited ? call!.Command : null);
        }
        reply.Fds?.Dispose();
        return true;
    }
}
