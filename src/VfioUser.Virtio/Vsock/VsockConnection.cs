using System.IO.Pipelines;
using System.Net.Sockets;

namespace VfioUser.Virtio;

/// <summary>A connection: its pipes, the credit of both sides, and what is to be sent.</summary>
/// <remarks>Under the lock of <see cref="VsockConnections"/>, but for what says otherwise. VIRTIO 1.3 5.10.6.3 "Buffer Space Management".</remarks>
internal sealed class VsockConnection
{
    // Linux takes no more in a packet
    private const int MaxData = 64 << 10;

    private readonly VsockConnections _all;
    private readonly int _bufferSize;
    private readonly ChainSink _sink;
    private readonly ChainSource _source;
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _due;
    private int _isReady;
    private uint _received;
    private uint _forwarded; // of them, what the author has read
    private uint _told; // what the guest knows of that
    private uint _sent;
    private uint _peerForwarded;
    private uint _peerBuffer;
    private bool _isCreditAsked;
    private VsockShutdown _shut; // told to the guest
    private VsockShutdown _peerShut;

    public VsockConnection(VsockConnections all, uint hostPort, uint guestPort, int bufferSize)
    {
        (_all, HostPort, GuestPort, _bufferSize) = (all, hostPort, guestPort, bufferSize);
        // the credit bounds what the guest sends
        Pipe input = new(new PipeOptions(writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false));
        Pipe output = new(new PipeOptions(
            readerScheduler: PipeScheduler.Inline,
            pauseWriterThreshold: bufferSize,
            resumeWriterThreshold: bufferSize / 2,
            useSynchronizationContext: false));
        _sink = new ChainSink(input.Writer, static () => { });
        _source = new ChainSource(output.Reader, () => _all.Ready(this));
        Stream = new VsockStream(this, input.Reader, output.Writer);
    }

    public uint HostPort { get; }

    public uint GuestPort { get; }

    public VsockStream Stream { get; }

    /// <summary>Completes when the guest has accepted. Any thread.</summary>
    public Task Connected => _connected.Task;

    public bool IsEstablished { get; private set; }

    /// <summary>Whether neither side will send any more, or one has ended it.</summary>
    public bool IsOver => _peerShut == VsockShutdown.Both;

    /// <summary>Whether the author does not read any more. Any thread.</summary>
    public bool IsInputClosed { get; set; }

    /// <summary>Marks it as one that has something to send. Any thread.</summary>
    /// <returns>False if it was marked already.</returns>
    public bool MarkReady() => Interlocked.Exchange(ref _isReady, 1) == 0;

    /// <summary>It will be looked at now.</summary>
    public void Unmark() => Interlocked.Exchange(ref _isReady, 0);

    /// <summary>Any thread.</summary>
    public void Send(VsockDue due)
    {
        Interlocked.Or(ref _due, (int)due);
        _all.Ready(this);
    }

    /// <summary>Any thread: nobody waits for the connection any more.</summary>
    public void Cancel()
    {
        IsInputClosed = true;
        Send(VsockDue.Reset);
    }

    /// <summary>Any thread: the author has read.</summary>
    public void Read(int count)
    {
        uint forwarded = Interlocked.Add(ref _forwarded, (uint)count);
        // not for each byte, and long before the guest has to wait
        if (forwarded - Volatile.Read(ref _told) >= (uint)_bufferSize / 4)
            Send(VsockDue.CreditUpdate);
    }

    public void Establish()
    {
        IsEstablished = true;
        _connected.TrySetResult();
    }

    /// <summary>The guest says how much it can take.</summary>
    /// <returns>False if it cannot have received that much.</returns>
    public bool TakeCredit(in VsockHeader header)
    {
        if (header.Forwarded - _peerForwarded > _sent - _peerForwarded)
            return false;
        bool isMore = header.Forwarded != _peerForwarded || header.BufferSize != _peerBuffer;
        (_peerForwarded, _peerBuffer) = (header.Forwarded, header.BufferSize);
        if (isMore)
        {
            _isCreditAsked = false;
            _all.Ready(this);
        }
        return true;
    }

    /// <summary>Data of the guest.</summary>
    /// <returns>False if it has sent more than it may.</returns>
    public bool Receive(DmaList source, uint length)
    {
        uint waiting = _received - Volatile.Read(ref _forwarded);
        if (length > (uint)_bufferSize - waiting || (_peerShut & VsockShutdown.Send) != 0)
            return false;
        _received += length;
        if (!_sink.Write(source, VsockHeader.Size, length))
            return false;
        if (_sink.IsClosed)
            Read((int)length); // nobody will
        return true;
    }

    public void PeerShut(VsockShutdown what)
    {
        _peerShut |= what & VsockShutdown.Both;
        if ((_peerShut & VsockShutdown.Send) != 0)
            _sink.Complete();
        if ((_peerShut & VsockShutdown.Receive) != 0)
            _source.Close();
    }

    /// <summary>It is over.</summary>
    /// <param name="error">What the author's calls fail with; an end that both agreed on is none.</param>
    public void Close(SocketError error)
    {
        SocketException exception = new((int)error);
        _connected.TrySetException(exception);
        _ = _connected.Task.Exception; // observed, if nobody waits
        _sink.Complete(new IOException(exception.Message, exception));
        _source.Close();
    }

    /// <summary>Whether there is something to send.</summary>
    public bool HasMore() => Volatile.Read(ref _due) != 0
        || (IsEstablished && ((!_source.Peek().IsEmpty && (Credit > 0 || !_isCreditAsked)) || Shutting() != VsockShutdown.None || _source.IsAborted));

    /// <summary>Sends the next packet.</summary>
    /// <param name="chain">Has room for a header.</param>
    /// <param name="cid">The guest's.</param>
    /// <param name="written">How many bytes.</param>
    /// <returns>Whether that was the last one of the connection.</returns>
    public bool SendNext(VirtioChain chain, ulong cid, out long written)
    {
        VsockOperation operation = Next(chain, out uint length, out VsockShutdown flags);
        uint forwarded = Volatile.Read(ref _forwarded);
        Volatile.Write(ref _told, forwarded);
        VsockHeader header = new()
        {
            SourceCid = VsockConnections.HostCid,
            DestinationCid = cid,
            SourcePort = HostPort,
            DestinationPort = GuestPort,
            DataLength = length,
            Type = VsockHeader.Stream,
            Operation = operation,
            Flags = flags,
            BufferSize = (uint)_bufferSize,
            Forwarded = forwarded,
        };
        written = header.TryWriteTo(chain) ? VsockHeader.Size + length : 0;
        return operation == VsockOperation.Reset;
    }

    private uint Credit => _sent - _peerForwarded is var waiting && waiting < _peerBuffer ? _peerBuffer - waiting : 0;

    private VsockOperation Next(VirtioChain chain, out uint length, out VsockShutdown flags)
    {
        (length, flags) = (0, VsockShutdown.None);
        int due = Volatile.Read(ref _due);
        if ((due & (int)VsockDue.Reset) != 0 || _source.IsAborted)
            return VsockOperation.Reset;
        if (due != 0)
        {
            int first = due & -due;
            Interlocked.And(ref _due, ~first);
            return (VsockDue)first switch
            {
                VsockDue.Request => VsockOperation.Request,
                VsockDue.Response => VsockOperation.Response,
                VsockDue.CreditUpdate => VsockOperation.CreditUpdate,
                _ => VsockOperation.CreditRequest,
            };
        }
        if (!_source.Peek().IsEmpty)
        {
            if (Credit == 0)
            {
                _isCreditAsked = true;
                return VsockOperation.CreditRequest;
            }
            length = (uint)_source.WriteTo(chain, VsockHeader.Size, Math.Min(Credit, MaxData));
            _sent += length;
            return VsockOperation.ReadWrite;
        }
        flags = Shutting();
        _shut |= flags;
        return flags == VsockShutdown.None ? VsockOperation.CreditUpdate : VsockOperation.Shutdown;
    }

    // what the guest has not been told, when all data has gone
    private VsockShutdown Shutting()
    {
        if (!_source.IsCompleted || (_peerShut & VsockShutdown.Receive) != 0 && !IsInputClosed)
            return VsockShutdown.None;
        VsockShutdown now = VsockShutdown.Send | (IsInputClosed ? VsockShutdown.Receive : VsockShutdown.None);
        return (now & ~_shut) != 0 ? now : VsockShutdown.None;
    }
}
