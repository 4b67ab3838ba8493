using System.Buffers.Binary;
using System.Threading.Tasks.Sources;

namespace VfioUser.Disks;

/// <summary>A request, from when it is made until whoever waits for it has the answer. Used again for others.</summary>
internal sealed class NbdRequest(Action<NbdRequest> ended, Action<object?> cancelled) : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private CancellationTokenRegistration _cancellation;

    public ulong Cookie { get; private set; }

    public NbdCommand Command { get; private set; }

    public long Offset { get; private set; }

    /// <summary>In bytes.</summary>
    public long Length { get; private set; }

    /// <summary>Of a read.</summary>
    public Memory<byte> Destination { get; private set; }

    /// <summary>Whether it has been copied to be sent, on the connection that there is now.</summary>
    public bool IsSent { get; set; }

    /// <summary>Whether it changes bytes, and is not durable when it is answered.</summary>
    public bool IsVolatileWrite => Command is NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes && (_flags & NbdProtocol.ForceUnitAccess) == 0;

    /// <summary>Whether its answer is not wanted any more.</summary>
    public bool IsCancelled { get; set; }

    /// <summary>Bytes of a read that have come.</summary>
    public int Received { get; set; }

    /// <summary>What the server has said is wrong; 0 if nothing.</summary>
    public uint Error { get; set; }

    public ValueTask Answer => new(this, _core.Version);

    /// <summary>Bytes of its message.</summary>
    public int MessageLength => NbdProtocol.RequestLength + _source.Length;

    private ReadOnlyMemory<byte> _source;
    private ushort _flags;

    /// <param name="cookie">Its number.</param>
    /// <param name="command">What.</param>
    /// <param name="flags">How.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="destination">Of a read.</param>
    /// <param name="source">Of a write.</param>
    /// <param name="isInline">Whether a success may be used on the thread that receives, which has the next ones to receive.</param>
    public void Begin(ulong cookie, NbdCommand command, ushort flags, long offset, long length, Memory<byte> destination, ReadOnlyMemory<byte> source, bool isInline)
    {
        _core.RunContinuationsAsynchronously = !isInline;
        (Cookie, Command, _flags, Offset, Length, Destination, _source) = (cookie, command, flags, offset, length, destination, source);
        IsCancelled = false;
        Restart();
    }

    /// <summary>As it was before it was sent.</summary>
    public void Restart() => (IsSent, Received, Error) = (false, 0, 0);

    /// <summary>Writes its message, data included.</summary>
    public void Write(Span<byte> message)
    {
        BinaryPrimitives.WriteUInt32BigEndian(message, NbdProtocol.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(message[4..], _flags);
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], (ushort)Command);
        BinaryPrimitives.WriteUInt64BigEndian(message[8..], Cookie);
        BinaryPrimitives.WriteUInt64BigEndian(message[16..], (ulong)Offset);
        BinaryPrimitives.WriteUInt32BigEndian(message[24..], (uint)Length);
        _source.Span.CopyTo(message[NbdProtocol.RequestLength..]);
    }

    /// <summary>Has the client told when the answer is not wanted any more. Before it is sent.</summary>
    public void Watch(CancellationToken cancellation) => _cancellation = cancellation.UnsafeRegister(cancelled, this);

    public void Succeed() => _core.SetResult(true);

    /// <summary>Fails it, for whoever waits on another thread: this one may be the one that cancels, or have more to fail.</summary>
    public void Fail(Exception exception)
    {
        _core.RunContinuationsAsynchronously = true;
        _core.SetException(exception);
    }

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            _cancellation.Dispose(); // no callback runs after this: it would be about the next use
            _core.Reset();
            (Destination, _source) = (default, default);
            ended(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
