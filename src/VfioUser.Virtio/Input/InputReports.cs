using System.Collections;

namespace VfioUser.Virtio;

/// <summary>Reports that wait for the driver. What has no room is dropped as a whole; keys that are then in another state than the guest
/// knows are reported when there is room again.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class InputReports(int capacity)
{
    private const int Keys = 0x300;

    private readonly Lock _lock = new();
    private readonly Queue<InputEvent> _events = new();
    private readonly BitArray _pressed = new(Keys); // as the author says
    private readonly BitArray _told = new(Keys); // as the guest will know when it has all that waits
    private bool _isBehind;
    private long _dropped;

    public long Dropped
    {
        get
        {
            lock (_lock)
                return _dropped;
        }
    }

    /// <summary>Adds a report, and its end.</summary>
    /// <param name="events">Without the end.</param>
    /// <param name="isRunning">Whether there is a driver: else it is dropped.</param>
    /// <returns>False if it was dropped.</returns>
    public bool Add(ReadOnlySpan<InputEvent> events, bool isRunning)
    {
        lock (_lock)
        {
            if (!isRunning)
            {
                _dropped++;
                return false;
            }
            Note(events, _pressed);
            if (_isBehind && _events.Count > 0 || _events.Count + events.Length + 1 > capacity)
            {
                _isBehind = true;
                _dropped++;
                return false;
            }
            CatchUp();
            Note(events, _told);
            foreach (InputEvent one in events)
                _events.Enqueue(one);
            _events.Enqueue(InputEvent.EndOfReport);
            return true;
        }
    }

    public bool TryPeek(out InputEvent next)
    {
        lock (_lock)
        {
            if (_events.Count == 0)
                CatchUp();
            return _events.TryPeek(out next);
        }
    }

    /// <summary>The first was sent.</summary>
    public void Remove()
    {
        lock (_lock)
            _events.TryDequeue(out _);
    }

    /// <summary>There is no driver any more: the next one knows of no key.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _events.Clear();
            _pressed.SetAll(false);
            _told.SetAll(false);
            _isBehind = false;
        }
    }

    private static void Note(ReadOnlySpan<InputEvent> events, BitArray keys)
    {
        foreach (InputEvent one in events)
        {
            if (one.Type == InputEventType.Key && one.Code < Keys)
                keys[one.Code] = one.Value != 0;
        }
    }

    // The guest has all but what was dropped.
    private void CatchUp()
    {
        if (!_isBehind || _events.Count > 0)
            return;
        _isBehind = false;
        for (int key = 0; key < Keys; key++)
        {
            if (_pressed[key] == _told[key])
                continue;
            _told[key] = _pressed[key];
            _events.Enqueue(new InputEvent(InputEventType.Key, (ushort)key, _pressed[key] ? 1 : 0));
        }
        if (_events.Count > 0)
            _events.Enqueue(InputEvent.EndOfReport);
    }
}
