namespace VfioUser.Schedules;

/// <summary>A thread that moves when it is told to.</summary>
internal sealed class ScheduledThread
{
    private const int StackSize = 256 << 10;

    private readonly AutoResetEvent _baton = new(initialState: false); // does not spin
    private readonly Thread _thread;

    public ScheduledThread(Schedule schedule, char name, Action body)
    {
        Schedule = schedule;
        Name = name;
        _thread = new Thread(() => Run(body), StackSize) { IsBackground = true };
    }

    public Schedule Schedule { get; }

    public char Name { get; }

    /// <summary>What it waits for; null for nothing.</summary>
    public Func<bool>? Condition { get; set; }

    public bool HasEnded { get; set; }

    public void Start() => _thread.Start();

    public void Join()
    {
        _thread.Join();
        _baton.Dispose();
    }

    public void Resume() => _baton.Set();

    public void Pause() => _baton.WaitOne();

    private void Run(Action body)
    {
        Pause();
        Schedule.Enter(this);
        try
        {
            body();
        }
        catch (Exception e)
        {
            Schedule.Fail(e.Message); // the first failure is the one that counts
        }
        Schedule.Leave(this);
    }
}
