using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>A connection to an export, after its negotiation.</summary>
/// <remarks>One thread at a time sends, and one receives.</remarks>
internal sealed class NbdConnection : IDisposable
{
    // requests that are sent together, but for one that is longer
    private const int Batch = 64 << 10;

    private readonly Socket _socket;
    private byte[] _out = new byte[Batch];

    private NbdConnection(Socket socket, NbdReader reader, NbdExport export) => (_socket, Reader, Export) = (socket, reader, export);

    public NbdReader Reader { get; }

    public NbdExport Export { get; }

    /// <summary>Whether somebody sends. Under the client's lock.</summary>
    public bool IsSending { get; set; }

    /// <summary>Whether nothing is sent any more, and its end is when all has an answer. Under the client's lock.</summary>
    public bool IsLeaving { get; set; }

    /// <exception cref="IOException">There is no such server, or it does not give the export.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task<NbdConnection> OpenAsync(NbdAddress address, TimeSpan timeout, CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timeout);
        Socket socket = address.NewSocket();
        try
        {
            await socket.ConnectAsync(address.EndPoint, limit.Token).ConfigureAwait(false);
            if (socket.ProtocolType == ProtocolType.Tcp)
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true); // a server that is gone for good says nothing
            NbdReader reader = new(socket);
            NbdExport export = await new NbdHandshake(socket, reader, limit.Token).RunAsync(address.Export).ConfigureAwait(false);
            return new NbdConnection(socket, reader, export);
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is SocketException)
                throw new IOException($"The NBD server at {address.EndPoint} cannot be reached: {e.Message}", e);
            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
                throw new IOException($"The NBD server at {address.EndPoint} does not answer within {timeout}.", e);
            throw;
        }
    }

    /// <summary>Copies a request to what is sent next.</summary>
    /// <param name="length">What is there already, in bytes; the length with it after the call.</param>
    /// <param name="request">Its data may change after this.</param>
    /// <returns>False if there is no room for it.</returns>
    public bool TryWrite(ref int length, NbdRequest request)
    {
        int needed = length + request.MessageLength;
        if (needed > _out.Length)
        {
            if (length > 0)
                return false;
            _out = new byte[needed];
        }
        request.Write(_out.AsSpan(length..needed));
        length = needed;
        return true;
    }

    /// <summary>Sends what was copied.</summary>
    public async ValueTask SendAsync(int length, CancellationToken cancellation)
    {
        for (int sent = 0; sent < length;)
            sent += await _socket.SendAsync(_out.AsMemory(sent..length), SocketFlags.None, cancellation).ConfigureAwait(false);
    }

    public void Dispose() => _socket.Dispose();
}
