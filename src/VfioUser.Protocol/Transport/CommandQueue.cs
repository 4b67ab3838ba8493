namespace VfioUser.Protocol;

/// <summary>Commands that were received and not handled yet, in order, within bounds.</summary>
internal sealed class CommandQueue(MessageChannelOptions limits)
{
    private readonly Queue<ReceivedMessage> _messages = new();
    private int _bytes;
    private int _fds;

    public int Count => _messages.Count;

    public bool IsOverLimit =>
        _messages.Count > limits.MaxQueuedCommands || _bytes > limits.MaxQueuedBytes || _fds > limits.MaxQueuedFds;

    public void Enqueue(in ReceivedMessage message)
    {
        _messages.Enqueue(message);
        _bytes += (int)message.Header.MessageSize;
        _fds += message.FdCount;
    }

    public bool TryDequeue(out ReceivedMessage message)
    {
        if (!_messages.TryDequeue(out message))
            return false;
        _bytes -= (int)message.Header.MessageSize;
        _fds -= message.FdCount;
        return true;
    }

    public void DisposeFds()
    {
        while (TryDequeue(out ReceivedMessage message))
            message.Fds?.Dispose();
    }
}
