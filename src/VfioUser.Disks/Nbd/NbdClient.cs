using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>Requests to an NBD server, in flight on one connection at a time: a new one when that is lost, on which what had no answer
/// is sent again.</summary>
/// <remarks>Any thread. Reads, writes, zeros, trims and flushes may all be done twice.</remarks>
internal sealed class NbdClient : IDisposable
{
    private const int MostDelays = 50;

    private readonly Lock _lock = new();
    private readonly NbdAddress _address;
    private readonly NbdDiskOptions _options;
    private readonly Action _resized;
    private readonly SortedDictionary<ulong, NbdRequest> _inFlight = [];
    private readonly Queue<NbdRequest> _toSend = new();
    private readonly Stack<NbdRequest> _free = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _running;
    private NbdConnection? _connection;
    private NbdExport _export;
    private Exception? _end;
    private ulong _cookie;
    private int _reconnects;
    private NbdUnflushedWrites _unflushed;

    /// <param name="address">For the next connections.</param>
    /// <param name="options">When to make them.</param>
    /// <param name="first">The one that there is; becomes the client's.</param>
    /// <param name="resized">Called when the export has another size.</param>
    public NbdClient(NbdAddress address, NbdDiskOptions options, NbdConnection first, Action resized)
    {
        _address = address;
        _options = options;
        _resized = resized;
        _connection = first;
        _export = first.Export;
        _running = Task.Run(() => RunAsync(first));
    }

    /// <summary>What the server says of the export.</summary>
    public NbdExport Export => Volatile.Read(ref _export);

    /// <summary>Sends a request, and ends with the server's answer to it.</summary>
    /// <exception cref="DiskException">The server has failed, or is gone.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled. If the server might still answer, its connection is made again, for
    /// the memory is the caller's from then on.</exception>
    public ValueTask RequestAsync(NbdCommand command, ushort flags, long offset, long length, Memory<byte> destination = default, ReadOnlyMemory<byte> source = default,
        CancellationToken cancellation = default)
    {
        NbdRequest request = NewRequest();
        request.Begin(Interlocked.Increment(ref _cookie), command, flags, offset, length, destination, source);
        request.Watch(cancellation);
        NbdConnection? idle = null;
        ValueTask answer;
        lock (_lock)
        {
            answer = request.Answer;
            if (_end is not null)
            {
                request.Fail(Gone(_end));
                return answer;
            }
            _inFlight.Add(request.Cookie, request);
            _toSend.Enqueue(request);
            if (_connection is { IsSending: false } connection)
            {
                connection.IsSending = true;
                idle = connection;
            }
        }
        if (idle is not null)
            _ = SendAsync(idle); // here, until the socket is full
        return answer;
    }

    /// <summary>Sends a flush. One at a time.</summary>
    /// <returns>False if the server that has answered it is not the one that had answered all writes before it.</returns>
    /// <exception cref="DiskException">The server has failed, or is gone.</exception>
    public async ValueTask<bool> FlushAsync()
    {
        lock (_lock)
            _unflushed.BeginFlush();
        await RequestAsync(NbdCommand.Flush, 0, 0, 0).ConfigureAwait(false);
        lock (_lock)
            return !_unflushed.AreLost;
    }

    private NbdRequest NewRequest()
    {
        lock (_lock)
        {
            if (_free.TryPop(out NbdRequest? request))
                return request;
        }
        return new NbdRequest(Free, Cancel);
    }

    private void Cancel(object? request)
    {
        NbdConnection? connection;
        lock (_lock)
        {
            ((NbdRequest)request!).IsCancelled = true;
            connection = _connection;
        }
        // whoever receives ends then, and fails what is cancelled
        if (connection is not null)
            connection.Dispose();
        else
            FailCancelled();
    }

    // While there is no connection: nobody uses the memory of what waits.
    private void FailCancelled()
    {
        NbdRequest[] cancelled;
        lock (_lock)
        {
            if (_connection is not null)
                return;
            cancelled = [.. _inFlight.Values.Where(request => request.IsCancelled)];
            foreach (NbdRequest request in cancelled)
                _inFlight.Remove(request.Cookie);
        }
        foreach (NbdRequest request in cancelled)
            request.Fail(new OperationCanceledException("The answer was not waited for."));
    }

    public void Dispose()
    {
        _closing.Cancel();
        _running.GetAwaiter().GetResult(); // it throws nothing, and uses the callers' memory until it ends
        _closing.Dispose();
    }

    // Throws nothing: whoever receives finds out that the connection has ended.
    private async Task SendAsync(NbdConnection connection)
    {
        try
        {
            while (TakeBatch(connection) is var length and > 0)
                await connection.SendAsync(length, _closing.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or OperationCanceledException)
        {
            connection.Dispose();
        }
    }

    private int TakeBatch(NbdConnection connection)
    {
        int length = 0;
        lock (_lock)
        {
            while (_connection == connection && !connection.IsLeaving && _toSend.TryPeek(out NbdRequest? request) && connection.TryWrite(ref length, request))
            {
                request.IsSent = true;
                _toSend.Dequeue();
            }
            connection.IsSending = length > 0;
        }
        return length;
    }

    private async Task RunAsync(NbdConnection connection)
    {
        Exception end;
        try
        {
            while (true)
            {
                Exception loss = await ReceiveAsync(connection).ConfigureAwait(false);
                connection.Dispose();
                lock (_lock)
                    _connection = null;
                FailCancelled();
                _options.Log?.Invoke($"NBD server {_address.EndPoint}: {loss.Message} Connecting again.");
                if (loss is NbdShutdownException)
                    await Task.Delay(_options.RetryInterval, _closing.Token).ConfigureAwait(false); // it still accepts connections, maybe
                connection = await ReconnectAsync(loss).ConfigureAwait(false);
                Adopt(connection);
                _options.Log?.Invoke($"NBD server {_address.EndPoint}: connected again.");
            }
        }
        catch (Exception e)
        {
            end = e; // told to all who wait, and to those who come
        }
        lock (_lock)
            _connection = null;
        connection.Dispose();
        FailAll(end);
    }

    // Returns why the connection has ended.
    private async Task<Exception> ReceiveAsync(NbdConnection connection)
    {
        try
        {
            await new NbdReplies(connection, Find, End, _closing.Token).RunAsync().ConfigureAwait(false);
            throw new InvalidOperationException("Receiving does not end without a reason.");
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException && !_closing.IsCancellationRequested)
        {
            return e;
        }
    }

    private async Task<NbdConnection> ReconnectAsync(Exception loss)
    {
        long begun = Environment.TickCount64;
        TimeSpan delay = _options.RetryInterval;
        while (true)
        {
            try
            {
                return await NbdConnection.OpenAsync(_address, _options.ConnectTimeout, _closing.Token).ConfigureAwait(false);
            }
            catch (IOException e)
            {
                if (_options.GiveUpAfter != Timeout.InfiniteTimeSpan && Environment.TickCount64 - begun >= _options.GiveUpAfter.TotalMilliseconds)
                    throw new IOException($"{loss.Message} {e.Message}", e);
            }
            await Task.Delay(delay, _closing.Token).ConfigureAwait(false);
            delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, _options.RetryInterval.Ticks * MostDelays));
        }
    }

    // What has no answer is sent again, in its order.
    private void Adopt(NbdConnection connection)
    {
        bool isResized;
        lock (_lock)
        {
            isResized = connection.Export.Size != _export.Size;
            Volatile.Write(ref _export, connection.Export);
            _reconnects++;
            _toSend.Clear();
            foreach (NbdRequest request in _inFlight.Values)
            {
                request.Restart();
                _toSend.Enqueue(request);
            }
            _connection = connection;
            connection.IsSending = true;
        }
        if (isResized)
            _resized();
        _ = SendAsync(connection);
    }

    private NbdRequest? Find(ulong cookie)
    {
        lock (_lock)
            return _inFlight.GetValueOrDefault(cookie);
    }

    private void End(NbdRequest request)
    {
        bool isRefused = request.Error == NbdProtocol.Shutdown, isLast;
        lock (_lock)
        {
            if (isRefused)
                request.Restart(); // it is for the next server
            else
                _inFlight.Remove(request.Cookie);
            // before whoever waits knows: a flush of theirs is to cover it
            if (!isRefused && request is { Error: 0, Command: NbdCommand.Flush })
                _unflushed.EndFlush(_reconnects);
            else if (!isRefused && request is { Error: 0, IsVolatileWrite: true })
                _unflushed.Add(_reconnects);
            if (isRefused && _connection is not null)
                _connection.IsLeaving = true;
            isLast = _connection is { IsLeaving: true } && !_inFlight.Values.Any(static other => other.IsSent);
        }
        if (!isRefused && request.Error == 0)
            request.Succeed();
        else if (!isRefused)
            request.Fail(Failure(request));
        // what this server still does must not be done after what the next one does
        if (isLast)
            throw new NbdShutdownException();
    }

    private void Free(NbdRequest request)
    {
        lock (_lock)
            _free.Push(request);
    }

    private void FailAll(Exception end)
    {
        NbdRequest[] waiting;
        lock (_lock)
        {
            _end = end;
            waiting = [.. _inFlight.Values];
            _inFlight.Clear();
            _toSend.Clear();
        }
        foreach (NbdRequest request in waiting)
            request.Fail(Gone(end));
    }

    private DiskException Gone(Exception end) =>
        new(DiskError.Media, $"There is no connection to the NBD server {_address.EndPoint}: {end.Message}", end);

    private static DiskException Failure(NbdRequest request)
    {
        DiskError error = request.Error switch
        {
            NbdProtocol.NotPermitted => DiskError.WriteProtected,
            NbdProtocol.NoSpace => DiskError.NoSpace,
            NbdProtocol.NoMemory => DiskError.NotReady,
            _ => DiskError.Media,
        };
        return new DiskException(error, $"NBD {request.Command} of {request.Length} bytes at {request.Offset} failed: error {request.Error}.");
    }
}
