using System.Collections.Concurrent;
using System.Globalization;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A thread that serves many devices in turn.</summary>
internal sealed class HostThread : IDisposable
{
    private const int WakeupNumber = 0;
    private const int MaxReady = 64;

    private readonly EpollSet _ready = new();
    private readonly Wakeup _wakeup = new();
    private readonly ConcurrentDictionary<int, Place> _places = new();
    private readonly int _maxCommands;
    private readonly Lock _gate = new();
    private int _lastNumber = WakeupNumber;
    private volatile bool _mayEnd;

    private sealed record Place(DevicePoller Poller, TaskCompletionSource Done);

    public HostThread(int number, int maxCommands)
    {
        _maxCommands = maxCommands;
        _ready.Add(_wakeup.Handle, Ready.Readable, WakeupNumber);
        string name = string.Create(CultureInfo.InvariantCulture, $"vfio-user host {number}");
        new Thread(Run) { Name = name, IsBackground = true }.Start();
    }

    /// <summary>How many devices it serves.</summary>
    public int Count => _places.Count;

    /// <summary>Takes over a poller.</summary>
    /// <returns>Ends with it.</returns>
    /// <remarks>Any thread, but one at a time, and not after <see cref="Dispose"/>.</remarks>
    public Task Serve(DevicePoller poller)
    {
        int number = ++_lastNumber;
        Place place = new(poller, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _places[number] = place;
        try
        {
            _ready.Add(poller.Handle, Ready.Readable, number);
        }
        catch
        {
            _places.TryRemove(number, out _);
            poller.Dispose();
            throw;
        }
        return place.Done.Task;
    }

    /// <summary>No more devices will come: the thread ends with the last one, and does not wait here for that.</summary>
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
        while (!_mayEnd || !_places.IsEmpty)
        {
            int count = _ready.Wait(ready, Timeout.Infinite);
            foreach (int number in ready[..count])
            {
                if (number == WakeupNumber)
                    _wakeup.Reset();
                else if (_places.TryGetValue(number, out Place? place))
                    Process(number, place);
            }
        }
        // not under the hands of who lets it end
        lock (_gate)
        {
            _ready.Dispose();
            _wakeup.Dispose();
        }
    }

    private void Process(int number, Place place)
    {
        try
        {
            if ((place.Poller.Process(_maxCommands).Events & PollEvents.Ended) != 0)
                Leave(number, place, failure: null);
        }
        catch (Exception e)
        {
            // a mistake of this side must not end the others
            Leave(number, place, e);
        }
    }

    private void Leave(int number, Place place, Exception? failure)
    {
        _ready.Remove(place.Poller.Handle);
        place.Poller.Dispose();
        _places.TryRemove(number, out _);
        if (failure is null)
            place.Done.SetResult();
        else
            place.Done.SetException(failure);
    }
}
