namespace VfioUser.Nvme;

/// <summary>Waits until a namespace is not used any more, on a thread that may wait for disks.</summary>
internal static class NamespaceRelease
{
    private static readonly TimeSpan AbortInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Removes a namespace from all controllers of a subsystem.</summary>
    /// <exception cref="ArgumentException">There is no such namespace.</exception>
    public static Task Remove(Subsystem subsystem, uint id, CancellationToken abort)
    {
        SharedNamespace shared = subsystem.Allocated(id) ?? throw new ArgumentException($"There is no namespace {id}.", nameof(id));
        return Release(() => subsystem.Remove(shared), shared.Views, abort);
    }

    /// <summary>Waits for the commands of some controllers that have begun, and aborts them: their host was preempted.</summary>
    public static Task Preempt(SharedNamespace shared, IReadOnlyList<Namespace> views) => Release(() =>
    {
        shared.Drain(views);
        return true;
    }, views, static view => view.Set.Preempt(view), new CancellationToken(canceled: true));

    /// <summary>Releases some views of it.</summary>
    /// <param name="release">Waits.</param>
    /// <param name="views">Whose commands are aborted.</param>
    /// <param name="abort">Cancelled if their disk is not to be waited for.</param>
    public static Task Release(Func<bool> release, IReadOnlyList<Namespace> views, CancellationToken abort) =>
        Release(release, views, static view => view.Set.Abort(view), abort);

    private static async Task Release(Func<bool> release, IReadOnlyList<Namespace> views, Action<Namespace> cancel, CancellationToken abort)
    {
        Task<bool> released = Task.Run(release, CancellationToken.None);
        TaskCompletionSource aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using (abort.UnsafeRegister(static aborted => ((TaskCompletionSource)aborted!).TrySetResult(), aborted))
            await Task.WhenAny(released, aborted.Task).ConfigureAwait(false);
        // again, for a command that was about to call its disk the first time
        while (!released.IsCompleted)
        {
            foreach (Namespace view in views)
                cancel(view);
            await Task.WhenAny(released, Task.Delay(AbortInterval, CancellationToken.None)).ConfigureAwait(false);
        }
        await released.ConfigureAwait(false);
    }
}
