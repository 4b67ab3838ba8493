using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Virtio;

/// <summary>A queue of a virtio device. The driver makes buffers available in it, and the device gives them back.</summary>
/// <remarks>
/// <para>Its handler runs on the queue's worker: inside it the device may use guest memory and interrupts, and it is not called while the
/// device is quiesced. The driver's buffers wait meanwhile.</para>
/// <para>VIRTIO 1.3 2.6 "Virtqueues".</para>
/// </remarks>
public sealed partial class VirtioQueue
{
    // then the driver is told, and other queues have their turn
    internal const int UsualChainsPerPass = 64;

    // many are better served by the worker in one go, with one interrupt
    private const int FewChains = 2;

    // of such a buffer, in bytes
    private const int MaxQuickLength = 256 << 10;

    // of all buffers that the device has: more wait in the ring, as indirect tables could have a thousand each
    private const int MaxRanges = 1 << 16;

    // an object whose lists have grown beyond that is not kept
    private const int MaxKeptRanges = 256;

    private readonly VirtioDevice _device;
    private readonly QueueWorker _worker;
    private readonly Action<VirtioChain>? _serve;
    private readonly Func<VirtioQueue, bool>? _poll;
    private readonly Stack<VirtioChain> _spare = new();
    private readonly CompletedChains _completed = new();
    private readonly List<VirtioChain> _takenInPass = [];
    private readonly RundownGuard _use = new(isOpen: false); // passes of the worker, and chains that the device has
    private readonly Lock _pass = new(); // the worker's, or that of another device's thread
    private Ring? _ring;
    private bool _isInPass;
    private bool _wasArmed;
    private bool _isStarved;
    private bool _hasThrown;
    private bool _hasToldOfPause;
    private int _taken;
    private int _ranges;
    private int _isWoken; // since the handler was called last
    private long _passBegan;

    internal VirtioQueue(
        VirtioDevice device, QueueWorker worker, int index, string name, int maxSize, Action<VirtioChain>? serve, Func<VirtioQueue, bool>? poll)
    {
        (_device, _worker, _serve, _poll) = (device, worker, serve, poll);
        (Index, Name, MaxSize) = (index, name, maxSize);
    }

    /// <summary>Its number, from 0.</summary>
    public int Index { get; }

    /// <summary>Used in logs.</summary>
    public string Name { get; }

    /// <summary>Most entries; the driver may choose fewer.</summary>
    public int MaxSize { get; }

    /// <summary>Whether few buffers may be served on the Command thread when the driver notifies the device of them and the worker sleeps,
    /// as waking it takes longer. The handler then waits for nothing.</summary>
    internal bool ServesNotifications { get; init; }

    /// <summary>How many buffers one pass takes at most.</summary>
    internal int MaxChainsPerPass { get; init; } = UsualChainsPerPass;

    /// <summary>Whether the driver has enabled it and is set up. Any thread; may change at once.</summary>
    public bool IsRunning => _use.IsOpen;

    /// <summary>Has the worker call the handler, for what the device has to say unasked. Any thread; does not block, and costs a system call
    /// only if the worker sleeps.</summary>
    public void Wake()
    {
        Interlocked.Exchange(ref _isWoken, 1);
        _worker.Wake();
    }

    /// <summary>Takes the next buffer that the driver has made available.</summary>
    /// <param name="chain">The buffer; complete it, at once or later.</param>
    /// <returns>False if there is none: the handler is called again when there is one.</returns>
    /// <exception cref="InvalidOperationException">It is not called from within the queue's handler.</exception>
    public bool TryTake([NotNullWhen(true)] out VirtioChain? chain)
    {
        if (!_pass.IsHeldByCurrentThread || !_isInPass)
            throw new InvalidOperationException($"Take buffers of the queue {Name} in its own handler only; Wake has it called.");
        chain = null;
        if (_worker.IsClosing)
        {
            // there may be more, of which the driver does not notify the device: the worker looks again before it sleeps
            _isStarved = true;
            return false;
        }
        if (_taken == MaxChainsPerPass || _ranges > MaxRanges || _ring is not { } ring || !_use.TryEnter())
            return false;
        VirtioChain taken = _spare.TryPop(out VirtioChain? spare) ? spare : new VirtioChain(this, _device.Dma);
        taken.Generation = _device.Dma.Generation;
        if (!ring.TryTake(taken))
        {
            taken.Clear();
            _spare.Push(taken);
            _use.Exit();
            _isStarved = true;
            return false;
        }
        _taken++;
        _ranges += taken.Ranges;
        _completed.Taken(taken);
        taken.Begin();
        _takenInPass.Add(taken);
        chain = taken;
        return true;
    }

    /// <summary>Leaves the buffer that was taken last, to be taken again: in the same pass, the later ones first.</summary>
    internal void PutBack(VirtioChain chain)
    {
        if (!chain.TryPutBack())
            return;
        _ring?.PutBack(chain);
        _completed.PutBack();
        _taken--;
        Recycle(chain);
        _use.Exit();
    }

    /// <summary>In a pass: how many entries the driver has given it.</summary>
    internal int Size => _ring!.Size;

    /// <summary>Any thread: begins a pass on it, in which buffers are taken as in the handler. Memory that is not mapped is left to the
    /// worker: the thread is another device's, and does not wait for this one's client.</summary>
    /// <returns>False if it is not running, or it is the worker's to do: wake it.</returns>
    internal bool TryBeginPass()
    {
        if (!_worker.TryEnter())
            return false;
        if (_use.TryEnter())
        {
            _pass.Enter();
            if (ServedRing is { IsMapped: true } ring)
            {
                ring.InPlaceOnly = true;
                Begin(ring);
                return true;
            }
            _pass.Exit();
            Leave();
        }
        _worker.Exit();
        return false;
    }

    /// <summary>In a pass: the handler, or the other thread, has thrown. The queue is not served any more, and does not wait for buffers that
    /// were taken in this pass: whoever has thrown may have lost them.</summary>
    internal void FailPass(Exception exception)
    {
        _hasThrown = true;
        foreach (VirtioChain chain in _takenInPass)
        {
            if (chain.Abandon())
                Leave();
        }
        _device.HandlerFailed(this, exception);
    }

    /// <summary>Ends a pass that another thread has begun. What was completed in it is told to the driver.</summary>
    internal void EndPass()
    {
        Ring ring = _ring!;
        _isInPass = false;
        ring.InPlaceOnly = false;
        Tell(ring);
        _pass.Exit();
        Leave();
        _worker.Exit();
    }

    /// <summary>Worker: whether the driver had more than one buffer with the device in the last pass.</summary>
    internal bool HadSeveral => _taken > 1 || _use.Users > 1;

    /// <summary>Whether the worker or the device's own code uses it.</summary>
    internal bool IsIdle => _use.Users == 0;

    /// <summary>How far the device has come; null if the driver has not enabled the queue.</summary>
    internal RingState? State => _ring?.State;

    /// <summary>Command thread, while it is idle: the driver has enabled the queue.</summary>
    internal void SetRing(Ring ring)
    {
        Clear();
        _ring = ring;
        // a queue that is polled says itself when it lacks buffers
        _wasArmed = _poll is not null;
    }

    /// <summary>Command thread: buffers may be taken from now on.</summary>
    internal void Start()
    {
        if (_ring is null)
            return;
        _use.Open();
        _worker.Wake();
    }

    /// <summary>Command thread: no more buffers are taken. What was is awaited by <see cref="IsIdle"/>.</summary>
    internal void Stop() => _use.Close();

    /// <summary>Command thread, when it is stopped and idle.</summary>
    internal void Clear()
    {
        _ring = null;
        (_wasArmed, _hasThrown, _hasToldOfPause) = (false, false, false);
        while (_completed.TryDrain(out VirtioChain? chain))
            Recycle(chain);
        _ranges = 0;
    }

    /// <summary>Command thread, while the device is quiesced and before it is stopped: what is done is in the ring that is saved.</summary>
    internal void Flush()
    {
        if (_ring is not { } ring)
            return;
        PostCompleted(ring);
        if (ring.TakeInterrupt())
            _device.InterruptQueue(Index);
    }

    /// <summary>Command thread: more memory can be reached than before.</summary>
    internal void MemoryIsBack()
    {
        if (_ring is not { IsPaused: true } ring)
            return;
        ring.IsPaused = false;
        // for what was completed or made available meanwhile
        _worker.Wake();
    }

    /// <summary>Any thread.</summary>
    internal void Completed(VirtioChain chain)
    {
        // within a pass its end posts it
        bool isInPass = _pass.IsHeldByCurrentThread;
        if (isInPass)
            _completed.AddInPass(chain);
        else
            _completed.Add(chain);
        Leave();
        if (!isInPass)
            _worker.Wake();
    }

    private void Recycle(VirtioChain chain)
    {
        int ranges = chain.Ranges;
        _ranges -= ranges;
        if (ranges > MaxKeptRanges)
            return;
        chain.Clear();
        _spare.Push(chain);
    }

    private void Report(Ring ring)
    {
        if (ring.Fault is { } fault)
        {
            _device.RingFailed(this, fault);
        }
        else if (ring.IsPaused && !_hasToldOfPause)
        {
            _hasToldOfPause = true;
            _device.RingPaused(this, ring.PausedFor);
        }
    }

    private void Leave()
    {
        _use.Exit();
        _device.LeftQueue();
    }
}
