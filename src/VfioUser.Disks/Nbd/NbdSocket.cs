using System.Net;
using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Disks;

/// <summary>A socket to an NBD server. It is waited for by the thread that receives, and never by the runtime's: each hand-over between
/// threads takes as long as the server does.</summary>
/// <remarks>One thread receives, and one at a time sends. <see cref="Abort"/> is for any thread.</remarks>
internal sealed class NbdSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly EventFd _wake = new();
    private volatile bool _isAborted;
    private volatile bool _isFull; // of what is sent; the thread that receives waits for room
    private bool _mayHaveMore; // than was received
    private long _deadline = long.MaxValue; // in milliseconds since the start of the machine

    private NbdSocket(Socket socket)
    {
        _socket = socket;
        _socket.Blocking = false;
    }

    /// <summary>Connects, to the first address that answers.</summary>
    /// <param name="endPoint">The server's.</param>
    /// <param name="deadline">For this and all waits until <see cref="HasNoDeadline"/>, by <see cref="Environment.TickCount64"/>.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="SocketException">There is no such server.</exception>
    /// <exception cref="TimeoutException">It does not answer.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static NbdSocket Connect(EndPoint endPoint, long deadline, CancellationToken cancellation)
    {
        if (endPoint is not DnsEndPoint name)
            return ConnectTo(endPoint, deadline, cancellation);
        SocketException? failure = null;
        foreach (IPAddress address in Resolve(name.Host, deadline, cancellation))
        {
            try
            {
                return ConnectTo(new IPEndPoint(address, name.Port), deadline, cancellation);
            }
            catch (SocketException e)
            {
                failure = e;
            }
        }
        throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }

    /// <summary>Called on the thread that receives, after <see cref="CallWhenThereIsRoom"/>. Throws nothing.</summary>
    public Action? HasRoom { get; set; }

    /// <summary>Waits may last for ever from now on.</summary>
    public void HasNoDeadline() => _deadline = long.MaxValue;

    /// <summary>Receives at least a byte.</summary>
    /// <exception cref="SocketException">The connection has failed.</exception>
    /// <exception cref="IOException">The server has closed it, or it was aborted.</exception>
    /// <exception cref="TimeoutException">Nothing has come before the deadline.</exception>
    public int Receive(Span<byte> destination)
    {
        while (true)
        {
            if (_mayHaveMore)
                ThrowIfAborted();
            else
                WaitToReceive();
            int count = _socket.Receive(destination, SocketFlags.None, out SocketError error);
            _mayHaveMore = error == SocketError.Success && count == destination.Length;
            if (error == SocketError.WouldBlock)
                continue;
            if (error != SocketError.Success)
                throw new SocketException((int)error);
            return count > 0 ? count : throw new EndOfStreamException("The NBD server has closed the connection.");
        }
    }

    /// <summary>Sends as much as there is room for.</summary>
    /// <returns>Bytes.</returns>
    /// <exception cref="SocketException">The connection has failed.</exception>
    public int TrySend(ReadOnlySpan<byte> bytes)
    {
        int sent = 0;
        while (sent < bytes.Length)
        {
            int count = _socket.Send(bytes[sent..], SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
                break;
            if (error != SocketError.Success)
                throw new SocketException((int)error);
            sent += count;
        }
        return sent;
    }

    /// <summary>Has <see cref="HasRoom"/> called when there is room. The caller sends nothing more: that may be at once.</summary>
    public void CallWhenThereIsRoom()
    {
        _isFull = true;
        _wake.Signal();
    }

    /// <summary>Sends, and waits for room. Only of the thread that receives.</summary>
    /// <exception cref="SocketException">The connection has failed.</exception>
    /// <exception cref="IOException">It was aborted.</exception>
    /// <exception cref="TimeoutException">There is no room before the deadline.</exception>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            bytes = bytes[TrySend(bytes)..];
            if (bytes.IsEmpty)
                return;
            while ((Wait(sends: true) & SocketReadiness.Send) == 0)
                ThrowIfAborted();
        }
    }

    /// <summary>Has whoever receives end. Any thread, until it is disposed.</summary>
    public void Abort()
    {
        _isAborted = true;
        _wake.Signal();
    }

    public void Dispose()
    {
        _socket.Dispose();
        _wake.Dispose();
    }

    private static IPAddress[] Resolve(string host, long deadline, CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (deadline != long.MaxValue)
            limit.CancelAfter(TimeSpan.FromMilliseconds(Math.Max(deadline - Environment.TickCount64, 0)));
        try
        {
            return Dns.GetHostAddressesAsync(host, limit.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"No name server answers where {host} is.", e);
        }
    }

    private static NbdSocket ConnectTo(EndPoint endPoint, long deadline, CancellationToken cancellation)
    {
        NbdSocket socket = new(NewSocket(endPoint)) { _deadline = deadline };
        try
        {
            using CancellationTokenRegistration ending = cancellation.UnsafeRegister(static self => ((NbdSocket)self!).Abort(), socket);
            socket.Connect(endPoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            cancellation.ThrowIfCancellationRequested();
            throw;
        }
    }

    private static Socket NewSocket(EndPoint endPoint) => endPoint is IPEndPoint
        ? new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
        : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private void Connect(EndPoint endPoint)
    {
        try
        {
            _socket.Connect(endPoint);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress && endPoint is IPEndPoint)
        {
            while ((Wait(sends: true) & (SocketReadiness.Send | SocketReadiness.Receive)) == 0)
                ThrowIfAborted();
            int error = (int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            if (error != 0)
                throw new SocketException(error);
        }
        if (endPoint is IPEndPoint)
            _socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true); // a server that is gone for good says nothing
    }

    private void WaitToReceive()
    {
        while (true)
        {
            SocketReadiness ready = Wait(sends: _isFull);
            if ((ready & SocketReadiness.Send) != 0)
            {
                _isFull = false;
                HasRoom?.Invoke();
            }
            ThrowIfAborted();
            if ((ready & SocketReadiness.Receive) != 0)
                return;
        }
    }

    private SocketReadiness Wait(bool sends)
    {
        int timeout = _deadline == long.MaxValue ? Timeout.Infinite : (int)Math.Clamp(_deadline - Environment.TickCount64, 0, int.MaxValue);
        SocketReadiness ready = PollCalls.WaitForSocket(_socket.SafeHandle, sends, _wake.Handle, timeout);
        if (ready == SocketReadiness.None)
            throw new TimeoutException("The NBD server does not answer.");
        if ((ready & SocketReadiness.Wake) != 0)
            _wake.Take();
        return ready;
    }

    private void ThrowIfAborted()
    {
        if (_isAborted)
            throw new IOException("The connection to the NBD server was given up.");
    }
}
