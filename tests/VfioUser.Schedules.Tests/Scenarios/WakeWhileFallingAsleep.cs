namespace VfioUser.Schedules;

/// <summary>Two threads bring work while a worker goes to sleep, finds some, and goes to sleep again.</summary>
internal sealed class WakeWhileFallingAsleep : Scenario
{
    private readonly WorkerSleep _sleep = new();
    private int _work;
    private bool _sleeps;

    public override Action[] Threads => [Work, BringWork, BringWork];

    public override void CheckEnd() =>
        Schedule.Require(!_sleeps || !_sleep.IsAsleep || _work == 0, "there is work, the worker sleeps, and nobody has woken it");

    private void Work()
    {
        for (int round = 0; round < 2; round++)
        {
            Interlocked.Exchange(ref _work, 0);
            _sleep.Announce();
            _sleeps = Volatile.Read(ref _work) == 0;
            if (_sleeps)
                return;
            _sleep.Cancel();
        }
    }

    private void BringWork()
    {
        Volatile.Write(ref _work, 1);
        _sleep.Wake();
    }
}
