using System.Net.Sockets;

namespace VfioUser.Virtio;

/// <summary>Sockets between host and guest: AF_VSOCK in a Linux guest, streams at this end. <see cref="VsockUnixSockets"/> has UNIX sockets
/// in place of the streams.</summary>
/// <remarks>
/// <para>Connections end with the driver, and with a migration: the guest's driver resets them there.</para>
/// <para>VIRTIO 1.3 5.10 "Socket Device".</para>
/// </remarks>
public sealed class VirtioVsock : VirtioDevice
{
    private const int QueueSize = 128;
    private const int EventQueueSize = 16;
    private const ulong StreamFeature = 1 << 0;
    private const uint TransportReset = 0;

    private readonly VsockConnections _connections;
    private readonly VirtioQueue _events;
    private int _isResetDue;

    /// <summary>Creates the device.</summary>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The options are not valid.</exception>
    public VirtioVsock(VirtioVsockOptions? options = null)
        : base(VirtioDeviceType.Socket, queues: 3, StreamFeature | (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder))
    {
        options ??= new VirtioVsockOptions();
        options.Check();
        GuestCid = options.GuestCid;
        _connections = new VsockConnections(this, options);
        _connections.ToGuest = AddQueue("to guest", QueueSize, _connections.Transmit);
        _connections.FromGuest = AddQueue("from guest", QueueSize, _connections.Receive);
        _events = AddQueue("events", EventQueueSize, TransmitEvent);
        AddConfig((ulong)GuestCid);
        EnableMigration();
    }

    /// <summary>The guest's address.</summary>
    public uint GuestCid { get; }

    /// <summary>How many connections there are, both ways together. Any thread.</summary>
    public int Connections => _connections.Count;

    /// <summary>Connects to a program that listens in the guest.</summary>
    /// <param name="port">Its port.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="SocketException">Nobody listens there (ConnectionRefused); the guest has no driver for the device (NetworkDown);
    /// there are too many connections (TooManyOpenSockets).</exception>
    /// <remarks>Any thread. A guest that does not answer is waited for until it is cancelled.</remarks>
    public async ValueTask<VsockStream> ConnectAsync(uint port, CancellationToken cancellation = default)
    {
        VsockConnection connection = _connections.Connect(port);
        try
        {
            await connection.Connected.WaitAsync(cancellation).ConfigureAwait(false);
            return connection.Stream;
        }
        catch (OperationCanceledException)
        {
            connection.Cancel();
            throw;
        }
    }

    /// <summary>Listens for programs in the guest that connect to the host's address, 2.</summary>
    /// <param name="port">The port.</param>
    /// <returns>To be disposed, which ends the listening.</returns>
    /// <exception cref="SocketException">Somebody listens there already.</exception>
    /// <remarks>Any thread, also before the device is served.</remarks>
    public VsockListener Listen(uint port) => _connections.Listen(port);

    /// <summary>Listens on all ports on which nobody else does.</summary>
    /// <param name="accepts">Says whether to accept, by port. On a worker: it must not wait.</param>
    internal VsockListener ListenElsewhere(Func<uint, bool> accepts) => _connections.Listen(port: null, accepts);

    /// <inheritdoc/>
    protected override void OnDriverGone() => _connections.Clear();

    /// <inheritdoc/>
    protected override void OnRestored()
    {
        base.OnRestored();
        // of the connections that the driver has nothing came along
        Volatile.Write(ref _isResetDue, 1);
        _events.Wake();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _connections.Clear();
        base.Dispose(disposing);
    }

    private bool TransmitEvent(VirtioQueue queue)
    {
        if (Volatile.Read(ref _isResetDue) == 0 || !queue.TryTake(out VirtioChain? chain))
            return false;
        Volatile.Write(ref _isResetDue, 0);
        chain.Complete(chain.Writable.TryWrite(0, BitConverter.GetBytes(TransportReset)) ? sizeof(uint) : 0);
        return true;
    }
}
