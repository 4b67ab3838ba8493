using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>When the devices of a <see cref="HostThread"/> are to be woken, and one timer for all of them.</summary>
/// <remarks>That thread. A device is in the queue at most once, however often its time changes: a later time, or none, is found out when
/// the earlier one has come.</remarks>
internal sealed class HostTimes : IDisposable
{
    private const long Never = long.MaxValue;

    private readonly TimerFd _timer = new();
    private readonly PriorityQueue<SharedSetDescriptors, long> _queue = new();
    private long _armed = Never;

    /// <summary>Readable when a time may have come.</summary>
    public SafeFileHandle Handle => _timer.Handle;

    /// <summary>Sets when a device is to be woken; null for no such time.</summary>
    public void Set(SharedSetDescriptors device, Deadline? due)
    {
        device.Due = due;
        if (due is not { } time || device.Queued <= time.Timestamp)
            return;
        Unqueue(device);
        Queue(device, time);
        Arm();
    }

    /// <summary>The device is not to be woken.</summary>
    public void Remove(SharedSetDescriptors device)
    {
        device.Due = null;
        Unqueue(device);
    }

    /// <summary>Wakes the devices whose time has come.</summary>
    public void Expire()
    {
        _armed = Never;
        while (_queue.TryPeek(out SharedSetDescriptors? device, out long time) && Deadline.At(time).Left == TimeSpan.Zero)
        {
            _queue.Dequeue();
            device.Queued = Never;
            if (device.Due is not { } due)
                continue;
            if (due.Left > TimeSpan.Zero)
            {
                Queue(device, due);
                continue;
            }
            // if it is the time of the device's next wait, too, it is set again
            device.Due = null;
            device.Wake();
        }
        if (_queue.Count == 0)
            _timer.Stop();
        else
            Arm();
    }

    public void Dispose() => _timer.Dispose();

    private void Queue(SharedSetDescriptors device, Deadline time)
    {
        _queue.Enqueue(device, time.Timestamp);
        device.Queued = time.Timestamp;
    }

    private void Unqueue(SharedSetDescriptors device)
    {
        if (device.Queued == Never)
            return;
        _queue.Remove(device, out _, out _);
        device.Queued = Never;
    }

    private void Arm()
    {
        long first = _queue.TryPeek(out _, out long time) ? time : Never;
        if (_armed <= first)
            return;
        // a time that is far comes early, and is then set again
        _timer.Set(Deadline.At(first).Left);
        _armed = first;
    }
}
