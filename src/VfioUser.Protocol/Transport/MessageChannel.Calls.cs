using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <content>Commands to the peer, and their replies.</content>
public sealed partial class MessageChannel
{
    private const int MaxOnStack = 1024;

    private readonly PendingCall?[] _calls = new PendingCall?[PendingCall.MaxConcurrent];
    private readonly Stack<PendingCall> _freeCalls = new();
    private readonly Queue<PendingCall> _abandonedCalls = new();
    private readonly ReplyBuffers _replyBuffers = new();
    private int _createdCalls;
    private int _activeCalls;
    private int _replyWaiters; // for a reply
    private bool _hasReceiveTimeout;
    private Deadline? _callsEnd;

    /// <summary>Sends a command and waits for its reply.</summary>
    /// <param name="command">What to ask for.</param>
    /// <param name="head">The payload, or its first part.</param>
    /// <param name="tail">The rest of the payload; sent without a copy.</param>
    /// <param name="fds">Descriptors that go with it; borrowed.</param>
    /// <remarks>Any thread, the command thread too: there it fails with <see cref="Errno.ENOMEM"/> when more commands come before
    /// the reply than may wait.</remarks>
    public Reply Call(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default, ReadOnlySpan<SafeHandle> fds = default)
    {
        Deadline deadline = Deadline.After(_options.CallTimeout);
        return TryStart(command, head, tail, fds, deadline, wait: true, out ushort id, out Errno failure)
            ? Finish(id, deadline)
            : new Reply(this, null, failure);
    }

    /// <summary>Sends a command and leaves its reply to <see cref="Finish(ushort)"/>, so that several can be under way.</summary>
    /// <param name="command">What to ask for.</param>
    /// <param name="head">The payload, or its first part.</param>
    /// <param name="tail">The rest of the payload; sent without a copy.</param>
    /// <param name="wait">Whether to wait until fewer calls are under way than there may be. Who has one under way itself
    /// must not: it may be the one that the others wait for.</param>
    /// <param name="id">To be given to <see cref="Finish(ushort)"/> or <see cref="Abandon"/> by the same thread.</param>
    /// <param name="failure">EAGAIN when there are too many under way; otherwise as that of a reply.</param>
    internal bool TryStart(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, bool wait, out ushort id, out Errno failure) =>
        TryStart(command, head, tail, default, Deadline.After(_options.CallTimeout), wait, out id, out failure);

    /// <summary>Waits for the reply to a command that was sent, for as long as a call may take from now.</summary>
    internal Reply Finish(ushort id) => Finish(id, Deadline.After(_options.CallTimeout));

    /// <summary>Gives up a command that was sent: its reply will mean nothing.</summary>
    internal void Abandon(ushort id) => Release(_calls[PendingCall.IndexOf(id)]!, id);

    /// <summary>Ends all calls soon, those under way and those to come, with ECANCELED, until <see cref="LiftLimit"/>.</summary>
    /// <param name="left">How much time they have, all together.</param>
    internal void LimitCalls(TimeSpan left)
    {
        lock (_gate)
        {
            _callsEnd ??= Deadline.After(left);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends what <see cref="LimitCalls"/> began.</summary>
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
                // of all refusals this one alone has something to say
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

    /// <summary>Sends a command that asks for no reply.</summary>
    /// <returns>False when the peer has gone, or reads nothing for as long as a call may take.</returns>
    public bool Post(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default) => TryPost(command, head, tail) == Errno.None;

    /// <summary>As <see cref="Post"/>, and says why not: ENOTCONN, or ETIMEDOUT.</summary>
    internal Errno TryPost(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail) =>
        SendCommand(0, command, MessageFlags.NoReply, head, tail, default, Deadline.After(_options.CallTimeout));

    internal void Release(PendingCall call, ushort messageId)
    {
        lock (_gate)
        {
            // given back before, and in other hands perhaps
            if (!call.Active || call.MessageId != messageId)
                return;
            // the numbers of one that was given up are used again as late as can be, for its reply may still come
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

    // The command thread would wait for a reply that is behind more than may wait for the command thread.
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
                    // so that a receive with the role looks at its deadline now and then
                    _hasReceiveTimeout = true;
                    double eighth = deadline.IsNever ? double.MaxValue : _options.CallTimeout.TotalMilliseconds / 8;
                    TimeSpan tick = TimeSpan.FromMilliseconds(Math.Clamp(eighth, 1, 250));
                    _socket.SetReceiveTimeout(tick);
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
        if (_createdCalls == _calls.Length)
            return _abandonedCalls.TryDequeue(out call);
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

    // Under the lock.
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
        PendingCall? call = _calls[PendingCall.IndexOf(id)];
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
