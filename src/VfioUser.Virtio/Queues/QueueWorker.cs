using System.Diagnostics;

namespace VfioUser.Virtio;

/// <summary>The thread that serves one queue or several.</summary>
internal sealed class QueueWorker(PciDevice device, string name) : PollingWorker(device, name)
{
    // a driver with one request at a time waits for it: its next one is polled for without a pause
    private static readonly IdleStrategy OneAtATime = new() { Spin = TimeSpan.FromMicroseconds(400) };

    // With several under way, buffers come in batches, each with one interrupt, and the guest keeps its processor. After some pauses
    // without a buffer it has come to an end. A pause must not look longer than what polling would have covered, or each leads to the next.
    private static readonly IdleStrategy Several = new()
    {
        Spin = TimeSpan.FromMicroseconds(250),
        Pause = TimeSpan.FromMicroseconds(50),
        PauseUntil = TimeSpan.FromMilliseconds(1),
    };

    private const uint NotificationsPerTrial = 256;
    private const uint NotificationsOfTrial = 4;

    private readonly List<VirtioQueue> _queues = [];
    private bool _hasSeveral;
    private long _notified;
    private uint _soon; // notifications in a row

    /// <summary>Depends on how the driver has used the queues lately.</summary>
    protected override IdleStrategy Idle => _hasSeveral ? Several : OneAtATime;

    /// <summary>Setup.</summary>
    public void Add(VirtioQueue queue) => _queues.Add(queue);

    /// <summary>Command thread: the driver has notified the device while the worker slept.</summary>
    /// <returns>Whether the worker should be woken: notifications come so soon one after the other that it might poll for the next one.
    /// It finds out with some of them whether that pays. If it goes on sleeping, the others are better served without it.</returns>
    public bool MayPoll()
    {
        long now = Stopwatch.GetTimestamp();
        bool isSoon = Stopwatch.GetElapsedTime(_notified, now) < OneAtATime.Spin;
        _notified = now;
        _soon = isSoon ? _soon + 1 : 0;
        return isSoon && _soon % NotificationsPerTrial < NotificationsOfTrial;
    }

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
        bool hasSeveral = false;
        foreach (VirtioQueue queue in _queues)
        {
            if (!queue.Poll())
                continue;
            worked = true;
            hasSeveral |= queue.HadSeveral;
        }
        if (worked)
            _hasSeveral = hasSeveral;
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
