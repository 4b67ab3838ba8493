namespace VfioUser.Virtio;

/// <summary>All requests that are under way, and objects for those to come.</summary>
/// <remarks>Any thread. There are never more than entries of the queues.</remarks>
internal sealed class BlockRequests(Action<BlockRequest, BlockStatus> ended)
{
    private readonly Lock _lock = new();
    private readonly Stack<BlockRequest> _free = new();
    private readonly HashSet<BlockRequest> _underWay = [];

    public BlockRequest Take()
    {
        lock (_lock)
        {
            if (!_free.TryPop(out BlockRequest? request))
                request = new BlockRequest(ended);
            _underWay.Add(request);
            return request;
        }
    }

    public void Return(BlockRequest request)
    {
        lock (_lock)
        {
            _underWay.Remove(request);
            _free.Push(request);
        }
    }

    /// <summary>Tells the disk that no answers are wanted any more: they are to be waited for, and some would never come.</summary>
    /// <param name="queue">Of which queue; null for all.</param>
    public void Cancel(VirtioQueue? queue)
    {
        BlockRequest[] requests;
        lock (_lock)
            requests = [.. _underWay.Where(request => queue is null || request.Chain?.Queue == queue)];
        foreach (BlockRequest request in requests)
            request.Cancel();
    }
}
