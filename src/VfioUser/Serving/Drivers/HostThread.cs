using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A thread that serves many devices in turn.</summary>
/// <remarks>A turn is one round: each device that has something to do gets one step of at most so many commands, and then waits for
/// the next round. So one that always has something to do delays the others by one step.</remarks>
internal sealed class HostThread : IDisposable
{
    private const int WakeupNumber = 0;
    private const int TimesNumber = 1;
    // in a round; with more, those that were woken by a thread and not by a descriptor have more turns than the others
    private const int MaxReady = 1024;

    private readonly Wakeup _wakeup = new();
    private readonly ConcurrentQueue<int> _woken = new();
    private readonly ConcurrentDictionary<int, Served> _devices = new();
    private readonly int _maxCommands;
    private readonly Lock _gate = new();
    private AdaptiveSpin _spin; // of the thread
    private int _lastNumber = TimesNumber;
    private int _thread; // its managed ID
    private volatile bool _mayEnd;

    private sealed record Served(DevicePoller Poller, SharedSetDescriptors Descriptors, TaskCompletionSource Done);

    public HostThread(int number, int maxCommands, TimeSpan spin)
    {
        _maxCommands = maxCommands;
        _spin = new AdaptiveSpin(spin);
        Set.Add(_wakeup.Handle, Ready.Readable, WakeupNumber);
        Set.Add(Times.Handle, Ready.Readable, TimesNumber);
        string name = string.Create(CultureInfo.InvariantCulture, $"vfio-user host {number}");
        new Thread(Run) { Name = name, IsBackground = true }.Start();
    }

    /// <summary>The descriptors of all its devices.</summary>
    public EpollSet Set { get; } = new();

    /// <summary>When to wake its devices.</summary>
    public HostTimes Times { get; } = new();

    /// <summary>Number of devices that it serves.</summary>
    public int Count => _devices.Count;

    /// <summary>Serves a device.</summary>
    /// <param name="create">Creates the poller, with these descriptors.</param>
    /// <returns>Completes when serving ends.</returns>
    /// <remarks>Any thread, one at a time, and not after <see cref="Dispose"/>.</remarks>
    public Task Serve(Func<Func<ServingEngine, PollerDescriptors>, DevicePoller> create)
    {
        int number = ++_lastNumber;
        SharedSetDescriptors? descriptors = null;
        DevicePoller poller = create(engine => descriptors = new SharedSetDescriptors(this, number, engine.Clients.Listening));
        Served served = new(poller, descriptors!, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _devices[number] = served;
        // what woke it before was for a number that the thread did not know yet
        Wake(number);
        return served.Done.Task;
    }

    /// <summary>Gives a device a step in the next round. Any thread.</summary>
    public void Wake(int number)
    {
        _woken.Enqueue(number);
        // the thread itself sees it before it waits
        if (Environment.CurrentManagedThreadId != Volatile.Read(ref _thread))
            _wakeup.Signal();
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
        Volatile.Write(ref _thread, Environment.CurrentManagedThreadId);
        int[] ready = new int[MaxReady];
        while (!_mayEnd || !_devices.IsEmpty)
        {
            int count = Wait(ready);
            // those that are woken in this round have their turn in the next one
            int woken = _woken.Count;
            foreach (int number in ready.AsSpan(0, count))
            {
                if (number == WakeupNumber)
                    _wakeup.Reset();
                else if (number == TimesNumber)
                    Times.Expire();
                else
                    Process(number);
            }
            for (; woken > 0 && _woken.TryDequeue(out int number); woken--)
                Process(number);
        }
        // not while Dispose signals
        lock (_gate)
        {
            Set.Dispose();
            Times.Dispose();
            _wakeup.Dispose();
        }
    }

    private int Wait(Span<int> ready)
    {
        if (!_woken.IsEmpty)
            return Set.Wait(ready, 0);
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() - start < _spin.Length)
        {
            int found = Set.Wait(ready, 0);
            if (found > 0)
            {
                _spin.Found();
                return found;
            }
        }
        int count = Set.Wait(ready, Timeout.Infinite);
        _spin.Slept(Stopwatch.GetTimestamp() - start);
        return count;
    }

    private void Process(int number)
    {
        bool isListening = number < 0;
        number = Math.Abs(number);
        if (!_devices.TryGetValue(number, out Served? served))
            return;
        if (isListening)
            served.Descriptors.HasNewClients = true;
        Process(number, served);
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
        served.Poller.Dispose();
        _devices.TryRemove(number, out _);
        if (failure is null)
            served.Done.SetResult();
        else
            served.Done.SetException(failure);
    }
}
