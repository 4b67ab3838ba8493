using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>A connection to an export, after its negotiation.</summary>
/// <remarks>One thread at a time sends, and one receives.</remarks>
internal sealed class NbdConnection : IDisposable
{
    // requests that are sent together, but for one that is longer
    private const int Batch = 64 << 10;

    private readonly NbdSocket _socket;
    private byte[] _out = new byte[Batch];
    private int _length; // of the requests that are sent
    private int _sent;

    private NbdConnection(NbdSocket socket, NbdReader reader, NbdExport export) => (_socket, Reader, Export) = (socket, reader, export);

    public NbdReader Reader { get; }

    public NbdExport Export { get; }

    /// <summary>Whether somebody sends. Under the client's lock.</summary>
    public bool IsSending { get; set; }

    /// <summary>Whether nothing is sent any more, and its end is when all has an answer. Under the client's lock.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>Connects. Blocks its thread until then.</summary>
    /// <exception cref="IOException">There is no such server, or it does not give the export.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static NbdConnection Open(NbdAddress address, TimeSpan timeout, CancellationToken cancellation)
    {
        long deadline = timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        try
        {
            NbdSocket socket = NbdSocket.Connect(address.EndPoint, deadline, cancellation);
            try
            {
                using CancellationTokenRegistration ending = cancellation.UnsafeRegister(static socket => ((NbdSocket)socket!).Abort(), socket);
                NbdReader reader = new(socket);
                NbdExport export = new NbdHandshake(socket, reader).Run(address.Export);
                socket.HasNoDeadline();
                return new NbdConnection(socket, reader, export);
            }
            catch
            {
                socket.Dispose();
                cancellation.ThrowIfCancellationRequested();
                throw;
            }
        }
        catch (SocketException e)
        {
            throw new IOException($"The NBD server at {address.EndPoint} cannot be reached: {e.Message}", e);
        }
        catch (TimeoutException e)
        {
            throw new IOException($"The NBD server at {address.EndPoint} does not answer within {timeout}.", e);
        }
    }

    /// <summary>Has something called, on the thread that receives, when the rest of a batch can be sent. It throws nothing.</summary>
    public void OnRoom(Action send) => _socket.HasRoom = send;

    /// <summary>Copies a request to what is sent next. Not before all of the last batch is sent.</summary>
    /// <param name="request">Its data may change after this.</param>
    /// <returns>False if there is no room for it.</returns>
    public bool TryWrite(NbdRequest request)
    {
        if (_sent == _length)
            (_sent, _length) = (0, 0);
        int needed = _length + request.MessageLength;
        if (needed > _out.Length)
        {
            if (_length > 0)
                return false;
            _out = new byte[needed];
        }
        request.Write(_out.AsSpan(_length..needed));
        _length = needed;
        return true;
    }

    /// <summary>Sends what was copied.</summary>
    /// <returns>False if there is no room for the rest yet: it is whoever is called then who sends it.</returns>
    /// <exception cref="SocketException">The connection has failed.</exception>
    public bool TrySend()
    {
        _sent += _socket.TrySend(_out.AsSpan(_sent.._length));
        if (_sent == _length)
            return true;
        _socket.CallWhenThereIsRoom();
        return false;
    }

    /// <summary>Has whoever receives end. Any thread, until it is disposed.</summary>
    public void Abort() => _socket.Abort();

    public void Dispose() => _socket.Dispose();
}
