using System.Diagnostics;
using VfioUser;

namespace Nvme.Threads;

/// <summary>A thread that works while there is something to do, looks for more for a while, and then sleeps.</summary>
/// <remarks>
/// Sleeping is announced before the last look, and whoever brings work brings it before looking at the announcement:
/// so no wake-up is lost, and none is sent to a thread that is awake.
/// </remarks>
internal abstract class Worker : IDisposable
{
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly Thread _thread;
    private int _asleep;
    private bool _stopping;

    /// <param name="name">Of the thread.</param>
    protected Worker(string name) => _thread = new Thread(Run) { Name = name, IsBackground = true };

    public void Start() => _thread.Start();

    /// <summary>Whether it sleeps, or is about to.</summary>
    protected bool IsAsleep => Volatile.Read(ref _asleep) != 0;

    /// <summary>Has it look for work. Any thread; costs a system call only if it sleeps.</summary>
    public void Wake()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _asleep) != 0 && Interlocked.Exchange(ref _asleep, 0) != 0)
            _wake.Set();
    }

    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        if (_thread.ThreadState.HasFlag(System.Threading.ThreadState.Unstarted))
            return;
        _thread.Join();
        _wake.Dispose();
    }

    /// <summary>Does what there is to do now.</summary>
    /// <returns>Whether there was something.</returns>
    protected abstract bool Work();

    /// <summary>About to sleep: sees to it that work to come wakes it, and looks a last time.</summary>
    /// <returns>Whether there is something to do after all.</returns>
    protected abstract bool LastLook();

    /// <summary>How to wait for more after the last work. Read whenever there was nothing.</summary>
    protected abstract IdleStrategy Idle { get; }

    /// <summary>Something within threw, which it must not.</summary>
    protected abstract void Failed(Exception exception);

    private void Run()
    {
        long last = Stopwatch.GetTimestamp();
        bool worked = false;
        while (!Volatile.Read(ref _stopping))
        {
            try
            {
                if (Work())
                {
                    worked = true;
                    continue;
                }
                if (worked)
                    (worked, last) = (false, Stopwatch.GetTimestamp());
                TimeSpan idle = Stopwatch.GetElapsedTime(last);
                IdleStrategy strategy = Idle;
                if (!strategy.TryStayAwake(idle) && Sleep(strategy.SleepAfter(idle)))
                    last = Stopwatch.GetTimestamp();
            }
            catch (Exception e)
            {
                Failed(e);
            }
        }
    }

    // whether it was woken
    private bool Sleep(TimeSpan most)
    {
        Volatile.Write(ref _asleep, 1);
        Interlocked.MemoryBarrier();
        bool woken = LastLook() || Volatile.Read(ref _stopping) || _wake.WaitOne(most);
        Volatile.Write(ref _asleep, 0);
        return woken;
    }
}
