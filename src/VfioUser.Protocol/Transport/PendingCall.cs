namespace VfioUser.Protocol;

/// <summary>A command that waits for its reply. Guarded by the channel's lock.</summary>
internal sealed class PendingCall(int index, ReplyBuffers buffers)
{
    private const int Slots = 256;
    private const int Generations = 256;
    private byte[] _payload = [];
    private int _length;
    private byte _generation;
    private bool[]? _abandoned; // by generation: the call was abandoned, and its reply may still arrive

    /// <summary>Message ID: the slot and a generation, which changes with each call, so that a late reply does not match the next
    /// call.</summary>
    public ushort MessageId { get; private set; } = (ushort)index;

    public const int MaxConcurrent = Slots;

    public bool Active { get; private set; }

    public bool Done { get; private set; }

    public Command Command { get; private set; }

    public MessageHeader Reply { get; private set; }

    public FdList? Fds { get; private set; }

    public Errno FdProblem { get; private set; }

    public ReadOnlySpan<byte> Payload => _payload.AsSpan(0, _length);

    /// <summary>Bytes of memory in use.</summary>
    public int Capacity => _payload.Length;

    /// <summary>The errno of the reply, or of its descriptors; None for success.</summary>
    public Errno Failure => Reply.IsError ? (Reply.Error == 0 ? Errno.EIO : (Errno)Reply.Error) : FdProblem;

    public static int IndexOf(ushort messageId) => messageId % Slots;

    public void Begin(Command command)
    {
        int tries = Generations;
        while (_abandoned is not null && _abandoned[(byte)(_generation + 1)] && --tries > 0)
            _generation++;
        if (tries == 0)
            _abandoned = null; // all generations: replies this late are not expected any more
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

    /// <summary>Whether this is the late reply to an abandoned call, which is forgotten then.</summary>
    public bool DiscardAbandoned(ushort messageId)
    {
        int generation = messageId / Slots;
        if (_abandoned is null || !_abandoned[generation])
            return false;
        _abandoned[generation] = false;
        return true;
    }
}
