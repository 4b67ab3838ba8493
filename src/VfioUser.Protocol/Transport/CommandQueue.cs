using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Received messages that are not handled yet, in order; bounded.</summary>
/// <remarks>Stores only where they are in the receive buffer, since many small ones may arrive together.</remarks>
internal sealed class CommandQueue(MessageChannelOptions limits)
{
    // a longer array is cleared or replaced when the queue is empty, since its entries keep buffers alive
    private const int Short = 64;
    private const int Long = 4096;
    // of a client that sends one command after the other; there may be many
    private const int First = 4;

    private Entry[] _entries = new Entry[First];
    private int _next;
    private int _last;
    private int _offset; // of the next message within the next entry
    private int _messages;
    private long _bytes;
    private int _fds;

    // one message, or a run of them without descriptors
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(byte[] Buffer, int Offset, int Length, FdList? Fds, Errno FdProblem);

    public bool IsEmpty => _next == _last;

    /// <summary>Whether the messages enqueued since the queue was last empty exceed a limit.</summary>
    public bool IsOverLimit => _messages > limits.MaxQueuedCommands || _bytes > limits.MaxQueuedBytes || _fds > limits.MaxQueuedFds;

    public void Enqueue(in MessageRun run)
    {
        Append(new Entry(run.Buffer, run.Offset, run.Length, null, Errno.None));
        _messages += run.Count;
    }

    public void Enqueue(in ReceivedMessage message)
    {
        Append(new Entry(message.Buffer, message.HeaderOffset, (int)message.Header.MessageSize, message.Fds, message.FdProblem));
        _messages++;
        _fds += message.FdCount;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryDequeue(out ReceivedMessage message)
    {
        if (_next == _last)
        {
            message = default;
            return false;
        }
        ref readonly Entry entry = ref _entries[_next];
        int at = entry.Offset + _offset;
        MessageHeader header = WireFormat.Read<MessageHeader>(entry.Buffer.AsSpan(at));
        message = new ReceivedMessage(header, entry.Buffer, at, entry.Fds, entry.FdProblem);
        _offset += (int)header.MessageSize;
        if (_offset == entry.Length)
            NextEntry();
        return true;
    }

    public void DisposeFds()
    {
        while (TryDequeue(out ReceivedMessage message))
            message.Fds?.Dispose();
    }

    private void Append(in Entry entry)
    {
        if (_last == _entries.Length)
            Array.Resize(ref _entries, 2 * _last);
        _entries[_last++] = entry;
        _bytes += entry.Length + Unsafe.SizeOf<Entry>();
    }

    private void NextEntry()
    {
        _offset = 0;
        if (++_next < _last)
            return;
        if (_last > Long)
            _entries = new Entry[Short];
        else if (_last > Short)
            Array.Clear(_entries, 0, _last);
        (_next, _last, _messages, _bytes, _fds) = (0, 0, 0, 0, 0);
    }
}
