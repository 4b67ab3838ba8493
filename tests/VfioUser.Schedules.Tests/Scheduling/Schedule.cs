namespace VfioUser.Schedules;

/// <summary>One run of some threads, of which one moves at a time: which, is chosen at every point.</summary>
/// <remarks>Memory is sequentially consistent here, so a barrier that is missing is not found.</remarks>
internal sealed class Schedule
{
    private const int MaxSteps = 5000;

    // which thread of which schedule this one is
    [ThreadStatic]
    private static ScheduledThread? _onThisThread;

    private readonly Choices _choices;
    private readonly ScheduledThread[] _threads;
    private readonly List<(char Thread, string Operation)> _trace = [];
    private readonly List<ScheduledThread> _able = [];
    private int _preemptions;
    private bool _choosing;
    private bool _aborted;

    public Schedule(Choices choices, Action[] bodies)
    {
        _choices = choices;
        _threads = [.. bodies.Select((body, i) => new ScheduledThread(this, (char)('A' + i), body))];
    }

    /// <summary>What went wrong, and on which schedule; null for nothing.</summary>
    public string? Failure { get; private set; }

    /// <summary>Another thread may move here.</summary>
    /// <param name="operation">What is about to happen, for the trace.</param>
    public static void Point(string operation)
    {
        if (_onThisThread is { } thread && thread.Schedule is { _choosing: false } schedule)
            schedule.Step(thread, operation);
    }

    /// <summary>The thread moves no further until something is true.</summary>
    public static void WaitUntil(Func<bool> condition, string operation)
    {
        if (_onThisThread is not { } thread)
        {
            Require(condition(), $"{operation} would wait for ever");
            return;
        }
        thread.Condition = condition;
        thread.Schedule.Step(thread, operation);
    }

    /// <summary>Fails the schedule unless something is true.</summary>
    public static void Require(bool condition, string message)
    {
        if (!condition)
            throw new InvalidOperationException(message);
    }

    /// <summary>Runs the threads to their ends.</summary>
    public void Run()
    {
        foreach (ScheduledThread thread in _threads)
            thread.Start();
        Next(null)!.Resume();
        foreach (ScheduledThread thread in _threads)
            thread.Join();
    }

    public static void Enter(ScheduledThread thread) => _onThisThread = thread;

    public void Fail(string message)
    {
        Failure ??= $"{message}: {string.Join(", ", _trace.Select(step => $"{step.Thread} {step.Operation}"))}";
        _aborted = true;
    }

    /// <summary>A thread has ended: another one moves.</summary>
    public void Leave(ScheduledThread thread)
    {
        _onThisThread = null;
        thread.HasEnded = true;
        Next(null)?.Resume();
    }

    private void Step(ScheduledThread thread, string operation)
    {
        ThrowIfAborted();
        if (_trace.Count == MaxSteps)
            Fail("the threads do not end");
        else
            _trace.Add((thread.Name, operation));
        ScheduledThread next = Next(thread) ?? thread;
        if (next != thread)
        {
            next.Resume();
            thread.Pause();
        }
        ThrowIfAborted();
        thread.Condition = null;
    }

    private void ThrowIfAborted()
    {
        if (_aborted)
            throw new OperationCanceledException("another thread has failed");
    }

    // The current thread goes on, unless it is chosen that it does not: that is a preemption, and of these there are few.
    private ScheduledThread? Next(ScheduledThread? current)
    {
        if (_aborted)
            return Array.Find(_threads, thread => !thread.HasEnded); // to be told
        bool mayGoOn = current is not null && IsAble(current);
        if (mayGoOn && _preemptions == _choices.MaxPreemptions)
            return current;
        _able.Clear();
        if (mayGoOn)
            _able.Add(current!);
        foreach (ScheduledThread thread in _threads)
        {
            if (thread != current && IsAble(thread))
                _able.Add(thread);
        }
        if (_able.Count == 0)
        {
            ScheduledThread? waiting = Array.Find(_threads, thread => !thread.HasEnded);
            if (waiting is not null)
                Fail("deadlock");
            return waiting;
        }
        int chosen = _able.Count == 1 ? 0 : _choices.Choose(_able.Count);
        if (mayGoOn && chosen > 0)
            _preemptions++;
        return _able[chosen];
    }

    private bool IsAble(ScheduledThread thread)
    {
        if (thread.HasEnded)
            return false;
        if (thread.Condition is null)
            return true;
        _choosing = true;
        bool able = thread.Condition();
        _choosing = false;
        return able;
    }
}
