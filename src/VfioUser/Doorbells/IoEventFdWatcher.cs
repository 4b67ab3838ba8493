using System.Diagnostics;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The thread that waits for a device's ioeventfds, from the first that a client requests until it disconnects.</summary>
internal sealed class IoEventFdWatcher : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<RegionIoEventFd> _ioEventFds = [];
    private readonly EventFd _wake = new();
    private readonly Action<Exception> _threw;
    private readonly Thread _thread;
    private bool _changed;
    private bool _stopping;

    public IoEventFdWatcher(Action<Exception> threw)
    {
        _threw = threw;
        _thread = new Thread(Run) { Name = "vfio-user ioeventfds", IsBackground = true };
        _thread.Start();
    }

    public void Add(RegionIoEventFd ioEventFd)
    {
        lock (_lock)
        {
            _ioEventFds.Add(ioEventFd);
            _changed = true;
        }
        _wake.Signal();
    }

    /// <summary>Stops the thread, after a handler that is running.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Signal();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        PollSet? set = null;
        try
        {
            RegionIoEventFd[] ioEventFds = [];
            AdaptiveSpin spin = default;
            while (!Volatile.Read(ref _stopping))
            {
                if (set is null || TakeChange())
                {
                    set?.Dispose();
                    set = null;
                    lock (_lock)
                        ioEventFds = [.. _ioEventFds];
                    set = new PollSet([_wake.Handle, .. ioEventFds.Select(ioEventFd => ioEventFd.Handle!)]);
                    spin = new AdaptiveSpin(ioEventFds.Length == 0 ? TimeSpan.Zero : ioEventFds.Max(ioEventFd => ioEventFd.Spin));
                }
                Wait(set, ref spin);
                if (set.IsReady(0))
                    _wake.Take();
                for (int i = 0; i < ioEventFds.Length; i++)
                {
                    if (set.IsReady(i + 1) && !TryPoll(ioEventFds[i]))
                        Remove(ioEventFds[i]);
                }
            }
        }
        catch (Exception e)
        {
            // poll or its descriptors failed: the client's signals go unhandled from now on, so report it
            _threw(e);
        }
        finally
        {
            set?.Dispose();
        }
    }

    private static void Wait(PollSet set, ref AdaptiveSpin spin)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() - start < spin.Length)
        {
            if (set.Wait(0))
            {
                spin.Found();
                return;
            }
        }
        set.Wait(Timeout.Infinite);
        spin.Slept(Stopwatch.GetTimestamp() - start);
    }

    // False if the eventfd cannot be read: it would be ready for ever.
    private bool TryPoll(RegionIoEventFd ioEventFd)
    {
        try
        {
            ioEventFd.Poll();
            return true;
        }
        catch (IOException e)
        {
            _threw(e);
            return false;
        }
    }

    private bool TakeChange()
    {
        lock (_lock)
        {
            bool changed = _changed;
            _changed = false;
            return changed;
        }
    }

    private void Remove(RegionIoEventFd ioEventFd)
    {
        lock (_lock)
        {
            _ioEventFds.Remove(ioEventFd);
            _changed = true;
        }
    }
}
