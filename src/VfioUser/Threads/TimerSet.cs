using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A device's timers, and when each expires.</summary>
/// <remarks>
/// Any thread. A device has few timers, so the earliest is found by a linear search. While the clock runs, a due time is a timestamp of
/// it; while the clock is stopped, it is the remaining time in ticks of 100 ns.
/// </remarks>
internal sealed class TimerSet
{
    public const long Never = long.MaxValue;

    /// <summary>Bytes of one timer in a migration stream: remaining time and period, both i64 in ticks. A stopped timer has a remaining time of -1.</summary>
    public const int StateSize = 16;

    private readonly Lock _lock = new();
    private readonly List<DeviceTimer> _timers = []; // complete when the device is served
    private TimeProvider? _time; // null while the device is not served
    private bool _isStopped; // by migration
    private long _next = Never;

    public int Count => _timers.Count;

    /// <summary>When the earliest expires; <see cref="Never"/> if none runs, or the clock is stopped.</summary>
    public long Next => Volatile.Read(ref _next);

    public bool IsDue => Next is var next and not Never && Volatile.Read(ref _time) is { } time && time.GetTimestamp() >= next;

    private TimeProvider? Passing => _isStopped ? null : _time;

    /// <summary>Setup.</summary>
    public void Add(DeviceTimer timer) => _timers.Add(timer);

    public void Start(DeviceTimer timer, long ticks, long period)
    {
        lock (_lock)
        {
            timer.Period = period;
            timer.DueTime = Passing is { } time ? After(time, ticks) : ticks;
            FindNext();
        }
    }

    public void Stop(DeviceTimer timer)
    {
        lock (_lock)
        {
            Clear(timer);
            FindNext();
        }
    }

    /// <summary>Stops all.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _timers.ForEach(Clear);
            FindNext();
        }
    }

    /// <summary>The device is served with this clock; null: it is no longer served.</summary>
    public void SetClock(TimeProvider? time) => Change(time, _isStopped);

    /// <summary>Migration has stopped the device, or it runs again.</summary>
    public void SetStopped(bool isStopped) => Change(_time, isStopped);

    /// <summary>Takes the earliest timer if it has expired, and stops it or schedules its next call.</summary>
    /// <returns>What to call; null if none has expired.</returns>
    public Action? TakeDue()
    {
        lock (_lock)
        {
            if (_next == Never || Passing is not { } time || time.GetTimestamp() is var now && now < _next)
                return null;
            DeviceTimer due = Earliest();
            if (due.Period == 0)
                Clear(due);
            else
                due.DueTime = NextPeriod(time, due, now);
            FindNext();
            return due.Callback;
        }
    }

    /// <summary>Saves all. The clock is stopped.</summary>
    public void Save(Span<byte> destination)
    {
        lock (_lock)
        {
            foreach (DeviceTimer timer in _timers)
            {
                BinaryPrimitives.WriteInt64LittleEndian(destination, timer.IsRunning ? timer.DueTime : -1);
                BinaryPrimitives.WriteInt64LittleEndian(destination[sizeof(long)..], timer.Period);
                destination = destination[StateSize..];
            }
        }
    }

    /// <summary>Whether a saved state of the right size is valid.</summary>
    public static bool IsState(ReadOnlySpan<byte> source)
    {
        for (; !source.IsEmpty; source = source[StateSize..])
        {
            if (BinaryPrimitives.ReadInt64LittleEndian(source) < -1 || BinaryPrimitives.ReadInt64LittleEndian(source[sizeof(long)..]) < 0)
                return false;
        }
        return true;
    }

    /// <summary>Restores the first timers, as many as an older device saved; the others are stopped. The clock is stopped.</summary>
    public void Restore(ReadOnlySpan<byte> source)
    {
        lock (_lock)
        {
            foreach (DeviceTimer timer in _timers)
            {
                if (source.IsEmpty)
                {
                    Clear(timer);
                    continue;
                }
                long left = BinaryPrimitives.ReadInt64LittleEndian(source);
                Volatile.Write(ref timer.DueTime, left < 0 ? Never : left);
                timer.Period = BinaryPrimitives.ReadInt64LittleEndian(source[sizeof(long)..]);
                source = source[StateSize..];
            }
        }
    }

    private DeviceTimer Earliest()
    {
        foreach (DeviceTimer timer in _timers)
        {
            if (timer.DueTime == _next)
                return timer;
        }
        throw new InvalidOperationException("No timer is due at the time that was found.");
    }

    private static void Clear(DeviceTimer timer) => Volatile.Write(ref timer.DueTime, Never);

    private void Change(TimeProvider? time, bool isStopped)
    {
        lock (_lock)
        {
            TimeProvider? before = Passing;
            Volatile.Write(ref _time, time);
            _isStopped = isStopped;
            foreach (DeviceTimer timer in _timers)
            {
                if (timer.IsRunning && before != Passing)
                    timer.DueTime = Convert(timer.DueTime, before, Passing);
            }
            FindNext();
        }
    }

    private static long Convert(long due, TimeProvider? from, TimeProvider? to)
    {
        long left = from is null ? due : TicksOf(from, Math.Max(0, due - from.GetTimestamp()));
        return to is null ? left : After(to, left);
    }

    // A late call does not delay the next one, and calls that were missed are skipped.
    private static long NextPeriod(TimeProvider time, DeviceTimer timer, long now)
    {
        Int128 period = Math.Max(1, (long)Int128.Min((Int128)timer.Period * time.TimestampFrequency / TimeSpan.TicksPerSecond, long.MaxValue));
        Int128 missed = ((Int128)now - timer.DueTime) / period;
        return Bounded(timer.DueTime + (missed + 1) * period);
    }

    private static long After(TimeProvider time, long ticks) =>
        Bounded(time.GetTimestamp() + (Int128)ticks * time.TimestampFrequency / TimeSpan.TicksPerSecond);

    private static long TicksOf(TimeProvider time, long timestamps) =>
        Bounded((Int128)timestamps * TimeSpan.TicksPerSecond / time.TimestampFrequency);

    private static long Bounded(Int128 value) => value < Never ? (long)value : Never - 1;

    // Under the lock.
    private void FindNext()
    {
        long next = Never;
        if (Passing is not null)
        {
            foreach (DeviceTimer timer in _timers)
                next = Math.Min(next, timer.DueTime);
        }
        Volatile.Write(ref _next, next);
    }
}
