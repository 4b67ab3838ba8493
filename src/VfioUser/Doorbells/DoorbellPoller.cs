using System.Diagnostics;

namespace VfioUser;

/// <summary>The thread that looks at a page of doorbells: often after a ring, rarely when nothing happens.</summary>
internal sealed class DoorbellPoller : IDisposable
{
    // between two looks while spinning; a look at a page costs more than this
    private const int SpinIterations = 10;
    // waits grow with the time that nothing happened: an eighth of it
    private const int IdleToWait = 8;

    private readonly DoorbellPage _page;
    private readonly DoorbellPageOptions _options;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly Thread _thread;
    private bool _stopping;

    public DoorbellPoller(DoorbellPage page, DoorbellPageOptions options)
    {
        _page = page;
        _options = options;
        _thread = new Thread(Run) { Name = "vfio-user doorbells", IsBackground = true };
        _thread.Start();
    }

    public void Wake() => _wake.Set();

    /// <summary>Waits for the handler that runs. The event stays open: a late <see cref="Wake"/> must find it.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        _thread.Join();
    }

    private void Run()
    {
        long last = Stopwatch.GetTimestamp();
        while (!Volatile.Read(ref _stopping))
        {
            if (_page.Poll() > 0)
            {
                last = Stopwatch.GetTimestamp();
                continue;
            }
            TimeSpan idle = Stopwatch.GetElapsedTime(last);
            if (idle < _options.Spin)
                Thread.SpinWait(SpinIterations);
            else if (_wake.WaitOne(WaitAfter(idle)))
                last = Stopwatch.GetTimestamp();
        }
    }

    private TimeSpan WaitAfter(TimeSpan idle)
    {
        if (idle >= _options.StopAfter)
            return Timeout.InfiniteTimeSpan;
        TimeSpan wait = TimeSpan.FromMilliseconds(Math.Max(1, idle.TotalMilliseconds / IdleToWait));
        return wait < _options.LongestWait ? wait : _options.LongestWait;
    }
}
