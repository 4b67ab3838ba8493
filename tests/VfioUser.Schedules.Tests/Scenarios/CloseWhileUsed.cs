namespace VfioUser.Schedules;

/// <summary>Two use what a third one closes.</summary>
internal sealed class CloseWhileUsed : Scenario
{
    private RundownCount _uses = RundownCount.Open;
    private int _freed;

    public override Action[] Threads => [Use, Use, Close];

    public override void CheckEnd() => Schedule.Require(_freed == 1, $"freed {_freed} times");

    private void Use()
    {
        if (!_uses.TryEnter())
            return;
        Schedule.Require(_freed == 0, "used when it was freed");
        Schedule.Point("uses");
        Schedule.Require(_freed == 0, "freed while it was used");
        if (_uses.Exit())
            _freed++;
    }

    private void Close()
    {
        if (_uses.Close())
            _freed++;
        Schedule.Require(!_uses.TryEnter(), "entered when it was closed");
        Schedule.Require(!_uses.Close(), "closed twice");
    }
}
