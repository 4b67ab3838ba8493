using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;

namespace VfioUser.Virtio;

/// <summary>The connections of a socket device, and what its packets do to them.</summary>
/// <remarks>Any thread. VIRTIO 1.3 5.10.6 "Device Operation".</remarks>
internal sealed class VsockConnections(VirtioVsock device, VirtioVsockOptions options)
{
    /// <summary>The host's address.</summary>
    public const ulong HostCid = 2;

    // resets that wait for the driver; then it has to take some before its packets are read
    private const int MaxResets = 256;

    private const uint FirstPort = 1u << 30;

    private readonly Lock _lock = new();
    private readonly Dictionary<(uint Host, uint Guest), VsockConnection> _connections = [];
    private readonly Dictionary<uint, VsockListener> _listeners = [];
    private readonly ConcurrentQueue<VsockConnection> _ready = new();
    private readonly Queue<VsockHeader> _resets = new();
    private Func<uint, bool>? _accepts;
    private VsockListener? _elsewhere;
    private uint _nextPort = FirstPort;

    /// <summary>The queue to the guest.</summary>
    public VirtioQueue? ToGuest { get; set; }

    /// <summary>The queue from the guest.</summary>
    public VirtioQueue? FromGuest { get; set; }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _connections.Count;
        }
    }

    /// <summary>The connection has something to send.</summary>
    public void Ready(VsockConnection connection)
    {
        if (!connection.MarkReady())
            return;
        _ready.Enqueue(connection);
        ToGuest?.Wake();
    }

    /// <summary>Begins a connection with the guest.</summary>
    /// <exception cref="SocketException">There is no driver, or there are too many connections.</exception>
    public VsockConnection Connect(uint guestPort)
    {
        lock (_lock)
        {
            if (ToGuest is not { IsRunning: true })
                throw new SocketException((int)SocketError.NetworkDown);
            if (_connections.Count >= options.MaxConnections)
                throw new SocketException((int)SocketError.TooManyOpenSockets);
            while (_connections.ContainsKey((_nextPort, guestPort)) || _listeners.ContainsKey(_nextPort))
                Advance();
            VsockConnection connection = Add(_nextPort, guestPort);
            Advance();
            connection.Send(VsockDue.Request);
            return connection;
        }
    }

    public VsockListener Listen(uint? port, Func<uint, bool>? accepts = null)
    {
        VsockListener listener = new(this, port);
        lock (_lock)
        {
            if (port is { } number ? !_listeners.TryAdd(number, listener) : _elsewhere is not null)
                throw new SocketException((int)SocketError.AddressAlreadyInUse);
            if (port is null)
                (_elsewhere, _accepts) = (listener, accepts);
        }
        return listener;
    }

    public void Remove(VsockListener listener)
    {
        lock (_lock)
        {
            if (listener.Port is { } port && _listeners.GetValueOrDefault(port) == listener)
                _listeners.Remove(port);
            else if (_elsewhere == listener)
                (_elsewhere, _accepts) = (null, null);
        }
    }

    /// <summary>All end: the guest has forgotten them.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            foreach (VsockConnection connection in _connections.Values)
                connection.Close(SocketError.ConnectionReset);
            _connections.Clear();
            _resets.Clear();
            _ready.Clear();
        }
    }

    /// <summary>Worker: the guest's packets.</summary>
    public bool Receive(VirtioQueue queue)
    {
        bool worked = false;
        lock (_lock)
        {
            while (_resets.Count < MaxResets && queue.TryTake(out VirtioChain? chain))
            {
                worked = true;
                if (!VsockHeader.TryRead(chain, out VsockHeader header) || header.DataLength > chain.Readable.Length - VsockHeader.Size)
                    device.DriverFailed($"a packet of {chain.Readable.Length} bytes is shorter than it says, or cannot be read");
                else if (header.SourceCid != options.GuestCid)
                    device.DriverFailed($"a packet comes from {header.SourceCid}, and the guest is {options.GuestCid}");
                else
                    Handle(header, chain.Readable);
                chain.Complete();
            }
        }
        return worked;
    }

    /// <summary>Worker: packets for the guest.</summary>
    public bool Transmit(VirtioQueue queue)
    {
        bool worked = false;
        lock (_lock)
        {
            while (_resets.Count > 0 || !_ready.IsEmpty)
            {
                VsockConnection? connection = null;
                if (_resets.Count == 0 && !NextReady(out connection))
                    break;
                if (!queue.TryTake(out VirtioChain? chain))
                {
                    // first again, but nobody has to be woken for it
                    if (connection is not null && connection.MarkReady())
                        _ready.Enqueue(connection);
                    break;
                }
                worked = true;
                chain.Complete(Send(chain, connection));
            }
        }
        return worked;
    }

    private long Send(VirtioChain chain, VsockConnection? connection)
    {
        if (chain.Writable.Length < VsockHeader.Size)
            device.DriverFailed($"a buffer for packets has {chain.Writable.Length} bytes");
        if (connection is null)
        {
            if (_resets.Count == MaxResets)
                FromGuest?.Wake();
            return _resets.Dequeue().TryWriteTo(chain) ? VsockHeader.Size : 0;
        }
        if (connection.SendNext(chain, options.GuestCid, out long written))
            End(connection, SocketError.ConnectionReset);
        else if (connection.HasMore() && connection.MarkReady())
            _ready.Enqueue(connection);
        return written;
    }

    // Those that have nothing to send after all are left out.
    private bool NextReady([NotNullWhen(true)] out VsockConnection? connection)
    {
        while (_ready.TryDequeue(out connection))
        {
            connection.Unmark();
            if (IsCurrent(connection) && connection.HasMore())
                return true;
        }
        return false;
    }

    private bool IsCurrent(VsockConnection connection) =>
        _connections.TryGetValue((connection.HostPort, connection.GuestPort), out VsockConnection? current) && current == connection;

    private void Handle(in VsockHeader header, DmaList packet)
    {
        // any program in the guest may ask for any address
        bool isForHost = header.DestinationCid == HostCid;
        VsockConnection? connection = isForHost ? _connections.GetValueOrDefault((header.DestinationPort, header.SourcePort)) : null;
        if (connection is null)
        {
            if (isForHost && header.Operation == VsockOperation.Request && header.Type == VsockHeader.Stream)
                Accept(header);
            else if (header.Operation != VsockOperation.Reset)
                _resets.Enqueue(header.ToReset());
            return;
        }
        if (header.Operation == VsockOperation.Reset)
        {
            End(connection, connection.IsEstablished ? SocketError.ConnectionReset : SocketError.ConnectionRefused);
        }
        else if (header.Type != VsockHeader.Stream || !connection.TakeCredit(header) || !Handle(connection, header, packet) || connection.IsOver)
        {
            _resets.Enqueue(header.ToReset());
            End(connection, SocketError.ConnectionReset);
        }
    }

    // False for what has no place there.
    private static bool Handle(VsockConnection connection, in VsockHeader header, DmaList packet)
    {
        switch (header.Operation)
        {
            case VsockOperation.Response when !connection.IsEstablished:
                connection.Establish();
                return true;
            case VsockOperation.ReadWrite when connection.IsEstablished:
                return connection.Receive(packet, header.DataLength);
            case VsockOperation.Shutdown when connection.IsEstablished:
                connection.PeerShut(header.Flags);
                return true;
            case VsockOperation.CreditUpdate when connection.IsEstablished:
                return true;
            case VsockOperation.CreditRequest when connection.IsEstablished:
                connection.Send(VsockDue.CreditUpdate);
                return true;
            default:
                return false;
        }
    }

    private void Accept(in VsockHeader header)
    {
        uint port = header.DestinationPort;
        VsockListener? listener = _listeners.GetValueOrDefault(port);
        if (listener is null && _accepts?.Invoke(port) != false)
            listener = _elsewhere;
        if (listener is null || _connections.Count >= options.MaxConnections)
        {
            _resets.Enqueue(header.ToReset());
            return;
        }
        VsockConnection connection = Add(port, header.SourcePort);
        if (!connection.TakeCredit(header) || !listener.Offer(connection.Stream))
        {
            _resets.Enqueue(header.ToReset());
            End(connection, SocketError.ConnectionReset);
            return;
        }
        connection.Establish();
        connection.Send(VsockDue.Response);
    }

    private VsockConnection Add(uint hostPort, uint guestPort)
    {
        VsockConnection connection = new(this, hostPort, guestPort, options.BufferSize);
        _connections.Add((hostPort, guestPort), connection);
        return connection;
    }

    private void End(VsockConnection connection, SocketError error)
    {
        _connections.Remove((connection.HostPort, connection.GuestPort));
        connection.Close(error);
    }

    private void Advance() => _nextPort = _nextPort >= uint.MaxValue - 1 ? FirstPort : _nextPort + 1;
}
