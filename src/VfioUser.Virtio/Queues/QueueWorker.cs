namespace VfioUser.Virtio;

/// <summary>The thread that serves one queue or several.</summary>
internal sealed class QueueWorker(PciDevice device, string name) : PollingWorker(device, name)
{
    private static readonly IdleStrategy Adaptive = new() { Spin = TimeSpan.FromMicroseconds(100) };

    private readonly List<VirtioQueue> _queues = [];

    /// <summary>For the next notification of a driver that has lately sent them one soon after the other.</summary>
    protected override IdleStrategy Idle => Adaptive;

    /// <summary>Setup.</summary>
    public void Add(VirtioQueue queue) => _queues.Add(queue);

    /// <summary>Any thread: enters as the worker does. Without waiting.</summary>
    /// <returns>False while the device is quiesced, and when it is not served.</returns>
    public bool TryEnter() => Work.TryEnter();

    /// <summary>Leaves, after <see cref="TryEnter"/>.</summary>
    public void Exit() => Work.Exit();

    /// <summary>Whether the device is to be quiesced: no more is begun.</summary>
    public bool IsClosing => Work.IsClosing;

    protected override bool Poll()
    {
        bool worked = false;
        foreach (VirtioQueue queue in _queues)
            worked |= queue.Poll();
        return worked;
    }

    protected override bool Arm()
    {
        bool more = false;
        foreach (VirtioQueue queue in _queues)
            more |= queue.Arm();
        return more;
    }
}
