namespace VfioUser.Schedules;

/// <summary>The choices of one schedule, and after them those of the next: depth first, until there are no others.</summary>
/// <param name="maxPreemptions">How often a thread that could go on has to wait for another one.</param>
internal sealed class Choices(int maxPreemptions)
{
    private readonly List<(int Chosen, int Count)> _made = [];
    private int _at;

    public int MaxPreemptions { get; } = maxPreemptions;

    public int Choose(int count)
    {
        if (_at == _made.Count)
            _made.Add((0, count));
        Schedule.Require(_made[_at].Count == count, "the code is not the same in every run");
        return _made[_at++].Chosen;
    }

    /// <summary>Goes on to the next schedule.</summary>
    /// <returns>False when there is none.</returns>
    public bool MoveNext()
    {
        _at = 0;
        while (_made.Count > 0)
        {
            (int chosen, int count) = _made[^1];
            _made.RemoveAt(_made.Count - 1);
            if (chosen + 1 < count)
            {
                _made.Add((chosen + 1, count));
                return true;
            }
        }
        return false;
    }
}
