namespace VfioUser.Nvme;

/// <summary>All queues by number; number 0 is the admin queue's.</summary>
/// <remarks>Any thread reads it. The admin thread changes it, and a reset when no other thread uses it.</remarks>
internal sealed class QueueSet
{
    private readonly Dma _dma;
    private readonly DoorbellRegisters _doorbells;
    private readonly SubmissionQueue?[] _submissions;
    private readonly CompletionQueue?[] _completions;
    private readonly Action<int, uint> _invalidDoorbell;
    private readonly Action _wake;
    private ShadowDoorbells? _shadow;

    /// <param name="dma">Where the queues lie.</param>
    /// <param name="doorbells">How they are rung.</param>
    /// <param name="ioQueues">How many pairs there can be besides the admin queue.</param>
    /// <param name="invalidDoorbell">Told of doorbells with values that are none.</param>
    /// <param name="wake">Wakes all who may wait for room in a completion queue.</param>
    public QueueSet(Dma dma, DoorbellRegisters doorbells, int ioQueues, Action<int, uint> invalidDoorbell, Action wake)
    {
        _dma = dma;
        _doorbells = doorbells;
        _submissions = new SubmissionQueue?[ioQueues + 1];
        _completions = new CompletionQueue?[ioQueues + 1];
        _invalidDoorbell = invalidDoorbell;
        _wake = wake;
    }

    /// <summary>The largest number that a queue can have.</summary>
    public int LastId => _submissions.Length - 1;

    public SubmissionQueue? Admin => Submission(0);

    public ShadowDoorbells? Shadow => _shadow;

    public IEnumerable<SubmissionQueue> Submissions => _submissions.OfType<SubmissionQueue>();

    public IEnumerable<CompletionQueue> Completions => _completions.OfType<CompletionQueue>();

    public bool HasIoQueues => Submissions.Any(queue => queue.Id != 0) || Completions.Any(queue => queue.Id != 0);

    public SubmissionQueue? Submission(int id) => (uint)id < (uint)_submissions.Length ? Volatile.Read(ref _submissions[id]) : null;

    public CompletionQueue? Completion(int id) => (uint)id < (uint)_completions.Length ? Volatile.Read(ref _completions[id]) : null;

    public CompletionQueue Add(in CompletionQueueState state)
    {
        Doorbell head = new(_doorbells, DoorbellRegisters.HeadOf(state.Id), (int)state.Size, state.Head, _invalidDoorbell);
        if (state.Id != 0)
            head.StartShadow(_shadow);
        CompletionQueue queue = new(_dma, state, head, _wake);
        Volatile.Write(ref _completions[state.Id], queue);
        return queue;
    }

    public SubmissionQueue Add(in SubmissionQueueState state, CompletionQueue completions)
    {
        Doorbell tail = new(_doorbells, DoorbellRegisters.TailOf(state.Id), (int)state.Size, state.Tail, _invalidDoorbell);
        if (state.Id != 0)
            tail.StartShadow(_shadow);
        SubmissionQueue queue = new(_dma, state, completions, tail);
        completions.Users++;
        Volatile.Write(ref _submissions[state.Id], queue);
        return queue;
    }

    public void Remove(SubmissionQueue queue)
    {
        Volatile.Write(ref _submissions[queue.Id], null);
        queue.Completions.Users--;
    }

    public void Remove(CompletionQueue queue) => Volatile.Write(ref _completions[queue.Id], null);

    /// <summary>From now on the driver rings I/O queues in guest memory. What is there from before does not count: each doorbell
    /// starts where its queue is.</summary>
    /// <returns>False when the pages are not mapped.</returns>
    public bool StartShadow(ShadowDoorbells shadow)
    {
        _shadow = shadow;
        bool started = true;
        foreach (Doorbell doorbell in IoDoorbells)
            started &= doorbell.StartShadow(shadow);
        return started;
    }

    /// <summary>The driver goes on to ring I/O queues in guest memory, which has moved with it.</summary>
    public void RestoreShadow(ShadowDoorbells? shadow)
    {
        _shadow = shadow;
        foreach (Doorbell doorbell in IoDoorbells)
            doorbell.Shadow = shadow;
    }

    private IEnumerable<Doorbell> IoDoorbells => Submissions.Where(queue => queue.Id != 0).Select(queue => queue.Tail)
        .Concat(Completions.Where(queue => queue.Id != 0).Select(queue => queue.Head));

    /// <summary>Forgets all queues.</summary>
    /// <returns>Those that may still have commands in flight.</returns>
    public SubmissionQueue[] RemoveAll()
    {
        SubmissionQueue[] all = [.. Submissions];
        foreach (SubmissionQueue queue in all)
            queue.InFlight.Close();
        Array.Clear(_submissions);
        Array.Clear(_completions);
        _shadow = null;
        return all;
    }
}
