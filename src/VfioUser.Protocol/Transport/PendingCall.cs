namespace VfioUser.Protocol;

/// <summary>A command that was sent and waits for its reply. Its state changes under the channel's lock.</summary>
internal sealed class PendingCall(int index)
{
    private const int Slots = 256;
    private byte[] _payload = [];
    private int _length;
    private byte _generation;

    /// <summary>One more than the last number that this slot used, so that a late reply is not taken for the next one.</summary>
    public ushort MessageId { get; private set; } = (ushort)index;

    public static int MaxConcurrent => Slots;

    public bool Active { get; private set; }

    public bool Done { get; private set; }

    public Command Command { get; private set; }

    public MessageHeader Reply { get; private set; }

    public FdList? Fds { get; private set; }

    public Errno FdProblem { get; private set; }

    public ReadOnlySpan<byte> Payload => _payload.AsSpan(0, _length);

    /// <summary>The message id whose caller gave up; its reply may still come and means nothing.</summary>
    public ushort? Abandoned { get; private set; }

    public static int IndexOf(ushort messageId) => messageId % Slots;

    public void Begin(Command command)
    {
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
        if (_payload.Length < _length)
            _payload = GC.AllocateUninitializedArray<byte>(_length);
        reply.Payload.CopyTo(_payload);
        Done = true;
    }

    public void End()
    {
        if (!Done)
            Abandoned = MessageId;
        Active = false;
        Fds?.Dispose();
        Fds = null;
    }

    public bool ForgetAbandoned(ushort messageId)
    {
        if (Abandoned != messageId)
            return false;
        Abandoned = null;
        return true;
    }
}
