namespace VfioUser.Nvme;

/// <summary>Commands that wait for the rate of their namespace. They take no thread.</summary>
/// <remarks>Any thread.</remarks>
#pragma warning disable CA1001 // a source without a timer and a wait handle holds nothing to dispose of
internal sealed class DelayedCommands(IoPool pool, Func<TimeProvider> clock)
#pragma warning restore CA1001
{
    private CancellationTokenSource _suspended = new();

    /// <summary>Whether no command waits: their queues are being drained.</summary>
    public bool IsSuspended
    {
        get => Volatile.Read(ref _suspended).IsCancellationRequested;
        set
        {
            if (value)
                Volatile.Read(ref _suspended).Cancel();
            else if (IsSuspended)
                Volatile.Write(ref _suspended, new CancellationTokenSource());
        }
    }

    /// <summary>Has a command carried out after a while, or at once if it is aborted.</summary>
    /// <param name="slot">Becomes the pool's.</param>
    /// <param name="wait">The while.</param>
    /// <param name="limiter">Gets back what an aborted command took from it.</param>
    /// <param name="bytes">The same.</param>
    public void Post(CommandSlot slot, TimeSpan wait, RateLimiter limiter, long bytes) => _ = PostLater(slot, wait, limiter, bytes);

    private async Task PostLater(CommandSlot slot, TimeSpan wait, RateLimiter limiter, long bytes)
    {
        using (CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(slot.Cancellation, Volatile.Read(ref _suspended).Token))
            await Task.Delay(wait, clock(), ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (slot.IsCancelled)
            limiter.Return(bytes);
        pool.Post(slot);
    }
}
