using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors of one poller alone, in an epoll set of its own, for the caller's loop.</summary>
internal sealed class OwnSetDescriptors : PollerDescriptors
{
    private readonly EpollSet _all;
    private readonly Wakeup _wakeup;
    private readonly TimerFd _timer;
    private Deadline? _time;
    private bool _tooFar; // beyond the timer's range: the timer is set again with each call

    private OwnSetDescriptors(EpollSet all, Wakeup wakeup, TimerFd timer, SafeHandle? listening)
        : base(all, 0, 0, listening)
    {
        (_all, _wakeup, _timer) = (all, wakeup, timer);
        all.Add(wakeup.Handle, Ready.Readable, 0);
        all.Add(timer.Handle, Ready.Readable, 0);
        AwaitClients(true);
    }

    /// <exception cref="IOException">The system has no free descriptors.</exception>
    public static OwnSetDescriptors Create(SafeHandle? listening)
    {
        EpollSet? all = null;
        Wakeup? wakeup = null;
        TimerFd? timer = null;
        try
        {
            all = new EpollSet();
            wakeup = new Wakeup();
            timer = new TimerFd();
            return new OwnSetDescriptors(all, wakeup, timer, listening);
        }
        catch
        {
            all?.Dispose();
            wakeup?.Dispose();
            timer?.Dispose();
            throw;
        }
    }

    public override void Wake() => _wakeup.Signal();

    public override void ResetWake() => _wakeup.Reset();

    public override void AwaitTime(Deadline? deadline)
    {
        if (deadline is { IsNever: true })
            deadline = null;
        if (deadline == _time && !_tooFar)
            return;
        _time = deadline;
        _tooFar = deadline is { IsFar: true };
        if (deadline is { } time)
            _timer.Set(time.Left);
        else
            _timer.Stop();
    }

    public override void Dispose()
    {
        base.Dispose();
        _all.Dispose();
        _timer.Dispose();
        _wakeup.Dispose();
    }
}
