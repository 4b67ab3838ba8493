using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A thread that serves many devices in turn.</summary>
internal sealed class HostThread : IDisposable
{
    private const int WakeupNumber = 0;
    private const int MaxReady = 64;

    private readonly EpollSet _ready = new();
    private readonly Wakeup _wakeup = new();
    private readonly ConcurrentDictionary<int, Served> _devices = new();
    private readonly int _maxCommands;
    private readonly Lock _gate = new();
    private AdaptiveSpin _spin; // of the thread
    private int _lastNumber = WakeupNumber;
    private volatile bool _mayEnd;

    private sealed record Served(DevicePoller Poller, TaskCompletionSource Done);

    public HostThread(int number, int maxCommands, TimeSpan spin)
    {
        _maxCommands = maxCommands;
        _spin = new AdaptiveSpin(spin);
        _ready.Add(_wakeup.Handle, Ready.Readable, WakeupNumber);
        string name = string.Create(CultureInfo.InvariantCulture, $"vfio-user host {number}");
        new Thread(Run) { Name = name, IsBackground = true }.Start();
    }

    /// <summary>Number of devices that it serves.</summary>
    public int Count => _devices.Count;

    /// <summary>Takes over a poller.</summary>
    /// <returns>Completes when serving ends.</returns>
    /// <remarks>Any thread, one at a time, and not after <see cref="Dispose"/>.</remarks>
    public Task Serve(DevicePoller poller)
    {
        int number = ++_lastNumber;
        Served served = new(poller, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _devices[number] = served;
        try
        {
            _ready.Add(poller.Handle, Ready.Readable, number);
        }
        catch
        {
            _devices.TryRemove(number, out _);
            poller.Dispose();
            throw;
        }
        return served.Done.Task;
    }

    /// <summary>Lets the thread end with its last device. Does not wait for it.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _mayEnd = true;
            _wakeup.Signal();
        }
    }

    private void Run()
    {
        Span<int> ready = stackalloc int[MaxReady];
        while (!_mayEnd || !_devices.IsEmpty)
        {
            int count = Wait(ready);
            foreach (int number in ready[..count])
            {
                if (number == WakeupNumber)
                    _wakeup.Reset();
                else if (_devices.TryGetValue(number, out Served? served))
                    Process(number, served);
            }
        }
        // not while Dispose signals
        lock (_gate)
        {
            _ready.Dispose();
            _wakeup.Dispose();
        }
    }

    private int Wait(Span<int> ready)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() - start < _spin.Length)
        {
            int found = _ready.Wait(ready, 0);
            if (found > 0)
            {
                _spin.Found();
                return found;
            }
        }
        int count = _ready.Wait(ready, Timeout.Infinite);
        _spin.Slept(Stopwatch.GetTimestamp() - start);
        return count;
    }

    private void Process(int number, Served served)
    {
        try
        {
            if ((served.Poller.Process(_maxCommands).Events & PollEvents.Ended) != 0)
                Leave(number, served, failure: null);
        }
        catch (Exception e)
        {
            // a bug in serving one device must not end the others
            Leave(number, served, e);
        }
    }

    private void Leave(int number, Served served, Exception? failure)
    {
        _ready.Remove(served.Poller.Handle);
        served.Poller.Dispose();
        _devices.TryRemove(number, out _);
        if (failure is null)
            served.Done.SetResult();
        else
            served.Done.SetException(failure);
    }
}
