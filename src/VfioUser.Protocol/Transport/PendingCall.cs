namespace VfioUser.Protocol;

/// <summary>A command that was sent and waits for its reply. Its state changes under the channel's lock.</summary>
internal sealed class PendingCall(int index, ReplyBuffers buffers)
{
    private const int Slots = 256;
    private const int Generations = 256;
    private byte[] _payload = [];
    private int _length;
    private byte _generation;
    private bool[]? _abandoned; // by generation: the caller gave up, and the reply may still come

    /// <summary>One more than the last number that this slot used, so that a late reply is not taken for the next one.</summary>
    public ushort MessageId { get; private set; } = (ushort)index;

    public const int MaxConcurrent = Slots;

    public bool Active { get; private set; }

    public bool Done { get; private set; }

    public Command Command { get; private set; }

    public MessageHeader Reply { get; private set; }

    public FdList? Fds { get; private set; }

    public Errno FdProblem { get; private set; }

    public ReadOnlySpan<byte> Payload => _payload.AsSpan(0, _length);

    /// <summary>Bytes of memory that it holds.</summary>
    public int Capacity => _payload.Length;

    /// <summary>What the reply says of the call's success.</summary>
    public Errno Failure => Reply.IsError ? (Reply.Error == 0 ? Errno.EIO : (Errno)Reply.Error) : FdProblem;

    public static int IndexOf(ushort messageId) => messageId % Slots;

    public void Begin(Command command)
    {
        int tries = Generations;
        while (_abandoned is not null && _abandoned[(byte)(_generation + 1)] && --tries > 0)
            _generation++;
        if (tries == 0)
            _abandoned = null; // all of them: who has been silent for so long will not answer any more
        _generation++;
        MessageId = (ushort)(_generation * Slots + index);
        Command = command;
        Active = true;
        Done = false;
        FdProblem = Errno.None;
        _length = 0;
    }

    public void Complete(in ReceivedMessage reply)
    {
        Reply = reply.Header;
        Fds = reply.Fds;
        FdProblem = reply.FdProblem;
        _length = reply.Payload.Length;
        _payload = buffers.Grow(_payload, _length);
        reply.Payload.CopyTo(_payload);
        Done = true;
    }

    public void End()
    {
        if (!Done)
            (_abandoned ??= new bool[Generations])[_generation] = true;
        Active = false;
        Fds?.Dispose();
        Fds = null;
        _length = 0;
        _payload = buffers.Keep(_payload);
    }

    /// <summary>Whether this is the late reply to a call whose caller gave up: it means nothing.</summary>
    public bool DiscardAbandoned(ushort messageId)
    {
        int generation = messageId / Slots;
        if (_abandoned is null || !_abandoned[generation])
            return false;
        _abandoned[generation] = false;
        return true;
    }
}
