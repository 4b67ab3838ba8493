using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Virtio;

/// <summary>Buffers that the device has completed, until they are in the ring.</summary>
/// <remarks>In a pass of the queue, but for what says otherwise. VIRTIO 1.3 2.7.9, 2.8.8 "In-order use of descriptors".</remarks>
internal sealed class CompletedChains
{
    private readonly ConcurrentQueue<VirtioChain> _completed = new();
    private readonly Queue<VirtioChain> _inPass = new(); // those that were completed within it
    private readonly Dictionary<uint, VirtioChain> _early = []; // before others that were taken before them
    private volatile VirtioChain? _unreturned; // the ring was away
    private uint _taken;
    private uint _returned;

    /// <summary>Whether there is nothing to return. Any thread.</summary>
    public bool IsEmpty => _completed.IsEmpty && _unreturned is null;

    /// <summary>Any thread: the device has completed it.</summary>
    public void Add(VirtioChain chain) => _completed.Enqueue(chain);

    /// <summary>The same in a pass, for less.</summary>
    public void AddInPass(VirtioChain chain) => _inPass.Enqueue(chain);

    /// <summary>It was taken from the ring.</summary>
    public void Taken(VirtioChain chain) => chain.Order = _taken++;

    /// <summary>The one that was taken last was put back.</summary>
    public void PutBack() => _taken--;

    /// <summary>Takes the next one to return.</summary>
    /// <param name="inOrder">Whether that is the one that was taken first.</param>
    /// <param name="chain">It; to be kept again, or returned.</param>
    public bool TryTake(bool inOrder, [NotNullWhen(true)] out VirtioChain? chain)
    {
        chain = _unreturned;
        _unreturned = null;
        // not peeked at: then the queue would not use its memory again
        if (chain is not null || (!inOrder && TryDequeue(out chain)))
            return true;
        if (!inOrder)
            return false;
        if (_early.Count > 0 && _early.Remove(_returned, out chain))
            return true;
        while (TryDequeue(out chain))
        {
            if (chain.Order == _returned)
                return true;
            _early.Add(chain.Order, chain);
        }
        return false;
    }

    /// <summary>What was taken is in the ring.</summary>
    public void Returned() => _returned++;

    /// <summary>What was taken could not be returned: it is the next one again.</summary>
    public void Keep(VirtioChain chain) => _unreturned = chain;

    /// <summary>Takes any that there is, of a queue that is not in use any more.</summary>
    public bool TryDrain([NotNullWhen(true)] out VirtioChain? chain)
    {
        chain = _unreturned;
        _unreturned = null;
        if (chain is not null || TryDequeue(out chain))
            return true;
        (_taken, _returned) = (0, 0);
        foreach (uint order in _early.Keys)
            return _early.Remove(order, out chain);
        return false;
    }

    private bool TryDequeue([NotNullWhen(true)] out VirtioChain? chain) => _inPass.TryDequeue(out chain) || _completed.TryDequeue(out chain);
}
