namespace VfioUser.Disks;

/// <summary>Flushes of a disk: those that come while one runs share the next one, and one that fails is the last.</summary>
/// <remarks>
/// Any thread. The kernel tells of lost writes once, to one of its callers, and then takes their pages for written: a later
/// flush that succeeds says nothing about them, and neither does one at the same time.
/// </remarks>
internal sealed class FlushGroup(Func<ValueTask> writeBack)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _next; // those who came while one ran
    private bool _isRunning;
    private Exception? _failure;

    /// <summary>Ends when a flush has succeeded that began after the call.</summary>
    /// <exception cref="FlushFailedException">It failed, or an earlier one did.</exception>
    public ValueTask FlushAsync()
    {
        lock (_lock)
        {
            if (_failure is not null)
                return ValueTask.FromException(Failed(_failure));
            if (_isRunning)
            {
                _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return new ValueTask(_next.Task);
            }
            _isRunning = true;
        }
        return RunAsync();
    }

    private async ValueTask RunAsync()
    {
        try
        {
            await writeBack().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            End(e);
            throw Failed(e);
        }
        End(failure: null);
    }

    private void End(Exception? failure)
    {
        TaskCompletionSource? next;
        lock (_lock)
        {
            _failure ??= failure;
            (next, _next) = (_next, null);
            _isRunning = next is not null && _failure is null;
        }
        if (next is null)
            return;
        if (failure is null)
            _ = Task.Run(() => RunForAsync(next)); // whoever had the last one has its answer
        else
            next.SetException(Failed(failure));
    }

    // Throws nothing: those who wait are told.
    private async Task RunForAsync(TaskCompletionSource waiting)
    {
        try
        {
            await RunAsync().ConfigureAwait(false);
            waiting.SetResult();
        }
        catch (FlushFailedException e)
        {
            waiting.SetException(e);
        }
    }

    // a disk that stands on another one has nothing to add
    private static FlushFailedException Failed(Exception cause) => cause is FlushFailedException
        ? new FlushFailedException(cause.Message, cause)
        : new FlushFailedException($"A flush failed, and completed writes are lost: {cause.Message}", cause);
}
