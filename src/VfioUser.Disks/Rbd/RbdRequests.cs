namespace VfioUser.Disks;

/// <summary>Accesses of an image, several at once, until they are closed.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class RbdRequests(nint image)
{
    private readonly Lock _lock = new();
    private readonly Stack<RbdRequest> _free = new();
    private readonly List<RbdRequest> _all = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _underWay = 1; // one for its being open
    private bool _isClosed;

    /// <summary>Makes an access.</summary>
    /// <param name="access">What.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="memory">Of reads, which fill it, and writes; not moved and not freed before the answer.</param>
    /// <exception cref="DiskException">It failed.</exception>
    /// <exception cref="ObjectDisposedException">They are closed.</exception>
    public ValueTask StartAsync(RbdAccess access, long offset, long length, ReadOnlyMemory<byte> memory = default)
    {
        RbdRequest request = Begin();
        ValueTask answer = request.Answer;
        request.Start(image, access, offset, length, memory);
        return answer;
    }

    /// <summary>Takes no more, and returns when the library is done with all that there are.</summary>
    public void Close()
    {
        lock (_lock)
        {
            if (_isClosed)
                return;
            _isClosed = true;
        }
        Completed();
        _idle.Task.GetAwaiter().GetResult();
    }

    /// <summary>After the image is closed: no call from the library can come.</summary>
    public void Release()
    {
        foreach (RbdRequest request in _all)
            request.Release();
        _all.Clear();
    }

    private RbdRequest Begin()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(RbdDisk));
            Interlocked.Increment(ref _underWay);
            if (_free.TryPop(out RbdRequest? request))
                return request;
            request = new RbdRequest(Completed, Free);
            _all.Add(request);
            return request;
        }
    }

    private void Completed()
    {
        if (Interlocked.Decrement(ref _underWay) == 0)
            _idle.SetResult();
    }

    private void Free(RbdRequest request)
    {
        lock (_lock)
            _free.Push(request);
    }
}
