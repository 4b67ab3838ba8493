using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>Requests to an NBD server, in flight on one connection at a time: a new one when that is lost, on which what had no answer
/// is sent again.</summary>
/// <remarks>Any thread, and one of its own, which receives. Reads, writes, zeros, trims and flushes may all be done twice.</remarks>
internal sealed class NbdClient : IDisposable
{
    private const int MostDelays = 50;

    private readonly Lock _lock = new();
    private readonly NbdAddress _address;
    private readonly NbdDiskOptions _options;
    private readonly Action _resized;
    private readonly Dictionary<ulong, NbdRequest> _inFlight = [];
    private readonly Queue<NbdRequest> _toSend = new();
    private readonly Stack<NbdRequest> _free = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Thread _receiver;
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
        first.OnRoom(() => Send(first));
        _receiver = new Thread(() => Run(first)) { IsBackground = true, Name = "nbd" };
        _receiver.Start();
    }

    /// <summary>What the server says of the export.</summary>
    public NbdExport Export => Volatile.Read(ref _export);

    /// <summary>Sends a request, and ends with the server's answer to it.</summary>
    /// <param name="command">What.</param>
    /// <param name="flags">How.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="destination">Of a read.</param>
    /// <param name="source">Of a write.</param>
    /// <param name="isInline">Whether whoever waits may go on on the thread that receives: then it must wait for nothing, and <see cref="Submit"/> is
    /// what sends the request.</param>
    /// <param name="cancellation">The answer is not wanted any more.</param>
    /// <exception cref="DiskException">The server has failed, or is gone.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled. If the server might still answer, its connection is made again, for
    /// the memory is the caller's from then on.</exception>
    public ValueTask RequestAsync(NbdCommand command, ushort flags, long offset, long length, Memory<byte> destination = default, ReadOnlyMemory<byte> source = default,
        bool isInline = false, CancellationToken cancellation = default)
    {
        NbdRequest request = NewRequest();
        request.Begin(Interlocked.Increment(ref _cookie), command, flags, offset, length, destination, source, isInline);
        request.Watch(cancellation);
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
        }
        if (!isInline)
            Submit();
        return answer;
    }

    /// <summary>Sends what is to be sent: here, until the socket is full.</summary>
    public void Submit()
    {
        NbdConnection connection;
        lock (_lock)
        {
            if (_toSend.Count == 0 || _connection is not { IsSending: false } idle)
                return;
            idle.IsSending = true;
            connection = idle;
        }
        Send(connection);
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
        lock (_lock)
        {
            ((NbdRequest)request!).IsCancelled = true;
            // whoever receives ends then, and fails what is cancelled
            if (_connection is { } connection)
            {
                connection.Abort();
                return;
            }
        }
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
        Abort(null);
        _receiver.Join(); // it uses the callers' memory until it ends
        _closing.Dispose();
    }

    // Throws nothing: whoever receives finds out that the connection has ended.
    private void Send(NbdConnection connection)
    {
        try
        {
            while (connection.TrySend() && TakeBatch(connection))
            {
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Abort(connection);
        }
    }

    // null for the one that there is
    private void Abort(NbdConnection? connection)
    {
        lock (_lock)
        {
            if (_connection is { } current && (connection ?? current) == current)
                current.Abort();
        }
    }

    private bool TakeBatch(NbdConnection connection)
    {
        lock (_lock)
        {
            connection.IsSending = false;
            while (_connection == connection && !connection.IsLeaving && _toSend.TryPeek(out NbdRequest? request) && connection.TryWrite(request))
            {
                connection.IsSending = true;
                request.IsSent = true;
                _toSend.Dequeue();
            }
            return connection.IsSending;
        }
    }

    private void Run(NbdConnection connection)
    {
        Exception end;
        try
        {
            while (true)
            {
                Exception loss = Receive(connection);
                Leave(connection);
                FailCancelled();
                _options.Log?.Invoke($"NBD server {_address.EndPoint}: {loss.Message} Connecting again.");
                if (loss is NbdShutdownException)
                    Delay(_options.RetryInterval); // it still accepts connections, maybe
                connection = Reconnect(loss);
                Adopt(connection);
                _options.Log?.Invoke($"NBD server {_address.EndPoint}: connected again.");
            }
        }
        catch (Exception e)
        {
            end = e; // told to all who wait, and to those who come
        }
        Leave(connection);
        FailAll(end);
    }

    private void Leave(NbdConnection connection)
    {
        lock (_lock)
            _connection = null;
        connection.Dispose();
    }

    // Returns why the connection has ended.
    private Exception Receive(NbdConnection connection)
    {
        try
        {
            new NbdReplies(connection, Find, End).Run();
            throw new InvalidOperationException("Receiving does not end without a reason.");
        }
        catch (Exception e) when (e is SocketException or IOException && !_closing.IsCancellationRequested)
        {
            return e;
        }
    }

    private void Delay(TimeSpan delay)
    {
        _closing.Token.WaitHandle.WaitOne(delay);
        _closing.Token.ThrowIfCancellationRequested();
    }

    private NbdConnection Reconnect(Exception loss)
    {
        long begun = Environment.TickCount64;
        TimeSpan delay = _options.RetryInterval;
        while (true)
        {
            try
            {
                return NbdConnection.Open(_address, _options.ConnectTimeout, _closing.Token);
            }
            catch (IOException e)
            {
                if (_options.GiveUpAfter != Timeout.InfiniteTimeSpan && Environment.TickCount64 - begun >= _options.GiveUpAfter.TotalMilliseconds)
                    throw new IOException($"{loss.Message} {e.Message}", e);
            }
            Delay(delay);
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
            foreach (NbdRequest request in _inFlight.Values.OrderBy(request => request.Cookie))
            {
                request.Restart();
                _toSend.Enqueue(request);
            }
            _connection = connection;
            connection.IsSending = true;
        }
        if (isResized)
            _resized();
        connection.OnRoom(() => Send(connection));
        Send(connection);
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
