namespace VfioUser;

/// <summary>Regions that were unmapped together, until the last user of the last of them has left.</summary>
/// <remarks>Any thread leaves; the command thread waits, or is woken.</remarks>
internal sealed class DmaDrain
{
    private readonly TaskCompletionSource _done = new();
    private readonly GuestRegion[] _regions;
    private readonly DmaDrain? _earlier;
    private int _left;

    /// <param name="regions">To be closed by <see cref="Begin"/>.</param>
    /// <param name="earlier">What is waited for besides; null for nothing.</param>
    public DmaDrain(GuestRegion[] regions, DmaDrain? earlier = null)
    {
        _regions = regions;
        _earlier = earlier;
        _left = regions.Length + 1;
    }

    /// <summary>By address.</summary>
    public ReadOnlySpan<GuestRegion> Regions => _regions;

    /// <summary>Ends when nobody uses any of them.</summary>
    public Task Done => _done.Task;

    public bool IsDone => _done.Task.IsCompleted;

    /// <summary>The regions that somebody still uses.</summary>
    public IEnumerable<DmaRegion> InUse => _regions.Where(region => !region.IsDrained).Select(region => region.Description).Concat(_earlier?.InUse ?? []);

    /// <summary>Lets no new users in.</summary>
    public void Begin()
    {
        foreach (GuestRegion region in _regions)
            region.Close(this);
        if (_earlier is null)
        {
            Leave();
        }
        else
        {
            _ = _earlier.Done.ContinueWith(static (_, drain) => ((DmaDrain)drain!).Leave(), this, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>One of the regions has no users any more.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _left) == 0)
            _done.SetResult();
    }
}
