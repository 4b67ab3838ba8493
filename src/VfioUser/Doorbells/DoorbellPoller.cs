namespace VfioUser;

/// <summary>The thread that polls a page of doorbells: often after a write, rarely when idle.</summary>
internal sealed class DoorbellPoller : IDisposable
{
    private readonly DoorbellPage _page;
    private readonly IdleStrategy _idle;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly Thread _thread;
    private bool _stopping;

    public DoorbellPoller(DoorbellPage page, DoorbellPageOptions options)
    {
        _page = page;
        // how soon a write came cannot be told after a sleep that it did not end
        _idle = new IdleStrategy { Spin = options.Spin, IsSpinFixed = true, LongestSleep = options.LongestWait, StopAfter = options.StopAfter };
        _thread = new Thread(Run) { Name = "vfio-user doorbells", IsBackground = true };
        _thread.Start();
    }

    public void Wake() => _wake.Set();

    /// <summary>Stops the thread, after a handler that is running. The event stays open for a late <see cref="Wake"/>.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        _thread.Join();
    }

    private void Run()
    {
        IdleWait wait = new();
        while (!Volatile.Read(ref _stopping))
        {
            if (_page.Poll() > 0)
                wait.Worked();
            else if (wait.MustSleep(_idle, out TimeSpan longest) && _wake.WaitOne(longest))
                wait.Woken();
        }
    }
}
