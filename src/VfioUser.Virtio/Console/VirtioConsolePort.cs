using System.IO.Pipelines;

namespace VfioUser.Virtio;

/// <summary>A port of a console: bytes in both directions.</summary>
/// <remarks>Any thread, but one reader of <see cref="Input"/> and one writer of <see cref="Output"/> at a time.</remarks>
public sealed class VirtioConsolePort : IDuplexPipe
{
    // Linux sends up to 32 KiB in one
    private const int MaxBuffer = 1 << 20;

    private readonly VirtioConsole _console;
    private readonly Pipe _input;
    private readonly Pipe _output;
    private readonly Lock _lock = new();
    private readonly ChainSink _sink;
    private readonly ChainSource _source;
    private Stream? _stream;
    private VirtioQueue? _fromGuest;
    private VirtioQueue? _toGuest;
    private volatile bool _isConnected = true;
    private volatile bool _isGuestOpen;
    private long _dropped;

    internal VirtioConsolePort(VirtioConsole console, int index, string name, int bufferSize)
    {
        (_console, Index, Name) = (console, index, name);
        // the device's own continuations only wake a worker
        _input = new Pipe(Options(bufferSize, writer: PipeScheduler.Inline));
        _output = new Pipe(Options(bufferSize, reader: PipeScheduler.Inline));
        _sink = new ChainSink(_input.Writer, () => _fromGuest?.Wake());
        _source = new ChainSource(_output.Reader, () => _toGuest?.Wake());
    }

    /// <summary>Called when a program in the guest has opened or closed the port.</summary>
    /// <remarks>On a thread of the device: return soon, and wait for nothing of the device.</remarks>
    public event EventHandler? IsGuestOpenChanged;

    /// <summary>Its number; 0 is the console.</summary>
    public int Index { get; }

    /// <summary>Its name; empty for the console.</summary>
    public string Name { get; }

    /// <summary>What the guest has sent. It never ends: completing it is the end of the port, and what the guest sends is dropped then.</summary>
    /// <remarks>The guest waits while a named port is full. It does not wait for the console, whose kernel would stand still: what does not
    /// fit there is dropped.</remarks>
    public PipeReader Input => _input.Reader;

    /// <summary>What the guest receives, flushed. It waits in the pipe until a driver takes it. Completing it is the end of the port.</summary>
    public PipeWriter Output => _output.Writer;

    /// <summary>Bytes that the guest has sent, and nobody has got.</summary>
    public long DroppedBytes => Interlocked.Read(ref _dropped);

    /// <summary>Whether a program in the guest has the port open; always for the console that a driver has taken.</summary>
    public bool IsGuestOpen => _isGuestOpen;

    /// <summary>Whether the guest sees that somebody is at this end. What it sends otherwise is dropped. True at first.</summary>
    public bool IsConnected
    {
        get => _isConnected;
        set
        {
            _isConnected = value;
            _console.Send(this, ConsoleDue.Open);
            _fromGuest?.Wake();
        }
    }

    /// <summary>Both directions as one stream. Disposing it is the end of the port.</summary>
    /// <remarks>The same each time. In place of <see cref="Input"/> and <see cref="Output"/>, not beside them.</remarks>
    public Stream AsStream()
    {
        lock (_lock)
            return _stream ??= new DuplexStream(Input, Output);
    }

    internal bool IsConsole => Index == 0;

    internal void SetQueues(VirtioQueue toGuest, VirtioQueue fromGuest) => (_toGuest, _fromGuest) = (toGuest, fromGuest);

    /// <summary>Worker or Command thread.</summary>
    internal void SetGuestOpen(bool isOpen)
    {
        if (_isGuestOpen == isOpen)
            return;
        _isGuestOpen = isOpen;
        IsGuestOpenChanged?.Invoke(this, EventArgs.Empty);
    }

    /// <summary>Worker: gives the guest what there is for it.</summary>
    internal bool Transmit(VirtioQueue queue)
    {
        bool worked = false;
        while (!_source.Peek().IsEmpty && queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            chain.Complete(_source.WriteTo(chain));
        }
        if (_source.IsCompleted && _isConnected)
            IsConnected = false;
        return worked;
    }

    /// <summary>Worker: takes what the guest has sent.</summary>
    internal bool Receive(VirtioQueue queue)
    {
        bool worked = false;
        while (MayReceive() && queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            long length = chain.Readable.Length;
            if (length > MaxBuffer)
                _console.DriverFailed($"it sends {length} bytes at once to the port {Index}");
            else
                Receive(chain.Readable, length);
            chain.Complete();
        }
        return worked;
    }

    /// <summary>Command thread: a character of a kernel that has no driver yet, or not any more.</summary>
    internal void ReceiveEmergency(byte character)
    {
        lock (_lock)
        {
            _sink.Refresh();
            if (IsLost())
                Interlocked.Increment(ref _dropped);
            else
                _sink.Write([character]);
        }
    }

    private static PipeOptions Options(int bufferSize, PipeScheduler? reader = null, PipeScheduler? writer = null) => new(
        readerScheduler: reader,
        writerScheduler: writer,
        pauseWriterThreshold: bufferSize,
        resumeWriterThreshold: (bufferSize + 1) / 2,
        useSynchronizationContext: false);

    private bool MayReceive()
    {
        lock (_lock)
        {
            _sink.Refresh();
            return IsConsole || !_sink.IsFull || IsLost();
        }
    }

    private void Receive(DmaList data, long length)
    {
        lock (_lock)
        {
            if (IsLost())
                Interlocked.Add(ref _dropped, length);
            else
                _sink.Write(data, 0, length);
        }
    }

    private bool IsLost() => !_isConnected || _sink.IsClosed || (IsConsole && _sink.IsFull);
}
