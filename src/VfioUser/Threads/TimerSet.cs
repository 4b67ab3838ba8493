using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A device's timers: when each is due, or how much was left when time stood still.</summary>
/// <remarks>
/// Any thread. A device has a few: the earliest is looked for one after the other. While time passes a due time is a timestamp of
/// the clock; while it stands still it is what is left, in ticks of 100 ns.
/// </remarks>
internal sealed class TimerSet
{
    public const long Never = long.MaxValue;

    /// <summary>Bytes of one timer in a migration stream: what is left and the period, as i64 in ticks; -1 left for one that is stopped.</summary>
    public const int StateSize = 16;

    private readonly Lock _lock = new();
    private readonly List<DeviceTimer> _timers = []; // complete when the device is served
    private TimeProvider? _time; // null while it is not served
    private bool _isStopped; // by migration
    private long _next = Never;

    public int Count => _timers.Count;

    /// <summary>When the earliest is due; <see cref="Never"/> if none runs, or time stands still.</summary>
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

    /// <summary>The device is served by this clock; by none any more if it is null.</summary>
    public void SetClock(TimeProvider? time) => Change(time, _isStopped);

    /// <summary>Migration has stopped the device, or it runs again.</summary>
    public void SetStopped(bool isStopped) => Change(_time, isStopped);

    /// <summary>Takes the earliest one that is due, which stops or is due later then.</summary>
    /// <returns>What to call; null when none is.</returns>
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

    /// <summary>Writes the state of all. Time stands still.</summary>
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

    /// <summary>Whether bytes of the right number are the state of timers.</summary>
    public static bool IsState(ReadOnlySpan<byte> source)
    {
        for (; !source.IsEmpty; source = source[StateSize..])
        {
            if (BinaryPrimitives.ReadInt64LittleEndian(source) < -1 || BinaryPrimitives.ReadInt64LittleEndian(source[sizeof(long)..]) < 0)
                return false;
        }
        return true;
    }

    /// <summary>Takes the state of the first ones, as of an older device that has no others: those are stopped. Time stands still.</summary>
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

    // A call that is late does not make the next one late, and what was missed is not made up for.
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
