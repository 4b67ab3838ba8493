namespace VfioUser.Virtio;

/// <summary>The requests of a queue that are under way, and objects for those to come.</summary>
/// <remarks>
/// <para>Any thread. There are never more than entries of the queue.</para>
/// <para>A client that changes its layout of memory unmaps what it moves, and maps it again a moment later. A request whose memory is away
/// when the disk answers waits for it: to fail it would tell the guest of a broken disk. So does one during which the guest disables bus
/// mastering.</para>
/// </remarks>
/// <param name="dma">The guest's memory.</param>
/// <param name="ended">Called with the status of a request that the disk has answered late.</param>
/// <param name="again">Carries a request out once more. Does not wait.</param>
internal sealed class BlockRequests(Dma dma, Action<BlockRequest, BlockStatus> ended, Action<BlockRequest> again)
{
    private readonly Lock _lock = new();
    private readonly Stack<BlockRequest> _free = new();
    private readonly List<BlockRequest> _all = [];
    private readonly List<BlockRequest> _waiting = []; // of these, those whose memory is away

    /// <summary>Begins a request.</summary>
    /// <param name="chain">The driver's buffer.</param>
    public BlockRequest Begin(VirtioChain chain)
    {
        lock (_lock)
        {
            if (!_free.TryPop(out BlockRequest? request))
                _all.Add(request = new BlockRequest(this, ended));
            request.Begin(chain);
            return request;
        }
    }

    /// <summary>Ends it.</summary>
    public void Return(BlockRequest request)
    {
        lock (_lock)
        {
            request.IsUnderWay = false;
            _free.Push(request);
        }
    }

    /// <summary>Has a request whose memory was not there wait until it is, if it may have been there when the request was begun.</summary>
    /// <returns>False if it is as wrong as it was: the driver's mistake.</returns>
    public bool TryWait(BlockRequest request)
    {
        lock (_lock)
        {
            long generation = dma.Generation;
            if (request.Begun == generation || request.IsCancelled)
                return false;
            if (request.Tried == generation)
            {
                _waiting.Add(request);
                return true;
            }
            request.BeginAgain(generation);
        }
        again(request);
        return true;
    }

    /// <summary>More memory can be reached than before: those that wait are tried again.</summary>
    public void MemoryIsBack()
    {
        BlockRequest[] requests;
        lock (_lock)
        {
            if (_waiting.Count == 0)
                return;
            requests = [.. _waiting];
            _waiting.Clear();
            foreach (BlockRequest request in requests)
                request.BeginAgain(dma.Generation);
        }
        foreach (BlockRequest request in requests)
            again(request);
    }

    /// <summary>Tells the disk that no answers are wanted any more: they are to be waited for, and some would never come.</summary>
    /// <returns>Requests that waited for memory, which the caller completes.</returns>
    public IReadOnlyList<BlockRequest> Cancel()
    {
        BlockRequest[] waiting;
        CancellationTokenSource[] running;
        lock (_lock)
        {
            running = [.. _all.Where(static request => request.IsUnderWay).Select(static request => request.TakeCancellation())];
            waiting = [.. _waiting];
            _waiting.Clear();
        }
        foreach (CancellationTokenSource cancellation in running)
            cancellation.Cancel();
        return waiting;
    }
}
