namespace VfioUser.Schedules;

/// <summary>A device posts while the Command thread goes to sleep: one of the two has to notice.</summary>
internal sealed class SleepWhilePosted : Scenario
{
    private readonly CommandWork _work = new(new DeviceActivity());
    private readonly CommandTurn _turn;
    private bool _sleeps;
    private bool _hasWoken;

    public SleepWhilePosted() => _turn = new CommandTurn(_work);

    public override Action[] Threads => [SleepAndWake, PostAndWake];

    public override void CheckEnd() =>
        Schedule.Require(!_sleeps || _hasWoken || !_work.IsReady, "an action waits, the thread sleeps, and nobody was woken for it");

    private void SleepAndWake()
    {
        if (_turn.TrySleep())
            _turn.Wake();
        _sleeps = _turn.TrySleep();
        if (!_sleeps)
            Schedule.Require(!_turn.TryBorrow(), "a turn is borrowed that its owner has");
    }

    private void PostAndWake()
    {
        _work.Post(() => { }, untilReset: false);
        _hasWoken = _turn.IsFree;
    }
}
