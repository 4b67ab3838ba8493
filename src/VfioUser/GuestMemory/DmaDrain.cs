namespace VfioUser;

/// <summary>Regions that were unmapped together, until the last user of the last of them has left.</summary>
/// <remarks>Any thread leaves; the command thread waits, or is woken.</remarks>
internal sealed class DmaDrain
{
    private readonly TaskCompletionSource _done = new();
    private readonly DmaMapping[] _mappings;
    private readonly DmaDrain? _earlier;
    private int _left;

    /// <param name="mappings">To be closed by <see cref="Begin"/>.</param>
    /// <param name="earlier">What is waited for besides; null for nothing.</param>
    public DmaDrain(DmaMapping[] mappings, DmaDrain? earlier = null)
    {
        _mappings = mappings;
        _earlier = earlier;
        _left = mappings.Length + 1;
    }

    /// <summary>By address.</summary>
    public ReadOnlySpan<DmaMapping> Mappings => _mappings;

    /// <summary>Ends when nobody uses any of them.</summary>
    public Task Done => _done.Task;

    public bool IsDone => _done.Task.IsCompleted;

    /// <summary>The regions that somebody still uses.</summary>
    public IEnumerable<DmaRegion> InUse => _mappings.Where(mapping => !mapping.IsDrained).Select(mapping => mapping.Region).Concat(_earlier?.InUse ?? []);

    /// <summary>Lets no new users in.</summary>
    public void Begin()
    {
        foreach (DmaMapping mapping in _mappings)
            mapping.Close(this);
        if (_earlier is null)
            Leave();
        else
            _ = _earlier.Done.ContinueWith(static (_, drain) => ((DmaDrain)drain!).Leave(), this, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>One of the regions has no users any more.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _left) == 0)
            _done.SetResult();
    }
}
