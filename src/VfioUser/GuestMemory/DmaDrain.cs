namespace VfioUser;

/// <summary>The regions of one unmap, and their users: drained when the last user of the last region has exited.</summary>
/// <remarks>Users exit on any thread; the Command thread waits, or is woken.</remarks>
internal sealed class DmaDrain
{
    private readonly TaskCompletionSource _done = new();
    private readonly GuestRegion[] _regions;
    private readonly DmaDrain? _earlier;
    private int _left;

    /// <param name="regions">Closed by <see cref="Begin"/>.</param>
    /// <param name="earlier">A drain that must complete too; null for none.</param>
    public DmaDrain(GuestRegion[] regions, DmaDrain? earlier = null)
    {
        _regions = regions;
        _earlier = earlier;
        _left = regions.Length + 1;
    }

    /// <summary>The regions, in order of address.</summary>
    public ReadOnlySpan<GuestRegion> Regions => _regions;

    /// <summary>Completes when no region is in use.</summary>
    public Task Done => _done.Task;

    public bool IsDone => _done.Task.IsCompleted;

    /// <summary>The regions still in use.</summary>
    public IEnumerable<DmaRegion> InUse => _regions.Where(region => !region.IsDrained).Select(region => region.Description).Concat(_earlier?.InUse ?? []);

    /// <summary>Closes the regions: no new user can enter.</summary>
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

    /// <summary>One of the regions has no users left.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _left) == 0)
            _done.SetResult();
    }
}
