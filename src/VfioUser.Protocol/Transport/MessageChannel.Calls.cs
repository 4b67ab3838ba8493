using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <content>Commands to the peer, and their replies.</content>
public sealed partial class MessageChannel
{
    private const int MaxOnStack = 1024;

    private readonly PendingCall?[] _calls = new PendingCall?[PendingCall.MaxConcurrent];
    private readonly Stack<PendingCall> _freeCalls = new();
    private readonly ReplyBuffers _replyBuffers = new();
    private int _createdCalls;
    private int _waiting; // for a reply
    private bool _ticks;

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
        PendingCall? call = BeginCall(command, deadline, out Errno failure);
        if (call is null)
            return new Reply(this, null, failure);

        ushort id = call.MessageId;
        bool answered = false;
        try
        {
            failure = SendCommand(id, command, MessageFlags.Command, head, tail, fds, deadline);
            if (failure == Errno.None)
                failure = AwaitReply(call, deadline);
            if (failure == Errno.None)
                failure = call.Failure;
            answered = failure == Errno.None;
        }
        finally
        {
            if (!answered)
                Release(call, id);
        }
        return new Reply(this, answered ? call : null, failure);
    }

    /// <summary>Sends a command that asks for no reply.</summary>
    /// <returns>False when the peer has gone.</returns>
    public bool Post(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default) =>
        SendCommand(0, command, MessageFlags.NoReply, head, tail, default, Deadline.Never) == Errno.None;

    internal void Release(PendingCall call, ushort messageId)
    {
        lock (_gate)
        {
            // given back before, and in other hands perhaps
            if (!call.Active || call.MessageId != messageId)
                return;
            call.End();
            _freeCalls.Push(call);
            if (_waiters > 0)
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

    private PendingCall? BeginCall(Command command, Deadline deadline, out Errno failure)
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
                if (!_ticks)
                {
                    // so that a receive with the role looks at its deadline now and then
                    _ticks = true;
                    double eighth = deadline.IsNever ? double.MaxValue : _options.CallTimeout.TotalMilliseconds / 8;
                    TimeSpan tick = TimeSpan.FromMilliseconds(Math.Clamp(eighth, 1, 250));
                    _socket.SetReceiveTimeout(tick);
                }
                if (_freeCalls.TryPop(out PendingCall? call) || TryCreateCall(out call))
                {
                    call.Begin(command);
                    return call;
                }
                TimeSpan left = deadline.Left;
                if (left <= TimeSpan.Zero)
                {
                    failure = Errno.ETIMEDOUT;
                    return null;
                }
                Wait(left);
            }
        }
    }

    private bool TryCreateCall([NotNullWhen(true)] out PendingCall? call)
    {
        call = null;
        if (_createdCalls == _calls.Length)
            return false;
        call = _calls[_createdCalls] = new PendingCall(_createdCalls, _replyBuffers);
        _createdCalls++;
        return true;
    }

    private Errno AwaitReply(PendingCall call, Deadline deadline)
    {
        lock (_gate)
        {
            _waiting++;
            try
            {
                while (!call.Done)
                {
                    if (_closed || _fault is not null)
                        return Errno.ENOTCONN;
                    TimeSpan left = deadline.Left;
                    if (left <= TimeSpan.Zero)
                        return Errno.ETIMEDOUT;
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
                _waiting--;
            }
        }
    }

    private void ReceiveForOthers()
    {
        ReceiveOnce(wait: true);
        if (LeftBehind is { } wake && (!_queue.IsEmpty || _closed || _fault is not null))
            wake();
    }

    private bool TryComplete(in ReceivedMessage reply)
    {
        ushort id = reply.Header.MessageId;
        PendingCall? call = _calls[PendingCall.IndexOf(id)];
        if (call is null)
            return false;
        if (call.Active && !call.Done && call.MessageId == id && call.Command == reply.Header.Command)
        {
            call.Complete(reply);
            return true;
        }
        if (!call.ForgetAbandoned(id))
            return false;
        reply.Fds?.Dispose();
        return true;
    }
}
