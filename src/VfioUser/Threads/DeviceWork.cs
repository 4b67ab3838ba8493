namespace VfioUser;

/// <summary>Rundown protection of a worker: inside, it may use guest memory, interrupts and registers. The library closes it before the
/// device is quiesced, waits until nobody is inside, and opens it when the device is resumed.</summary>
/// <remarks>
/// <para>
/// Each worker has its own: see <see cref="PciDevice.AddWorker"/>. Any thread; several may be inside at a time. While it is open,
/// entering and leaving take one atomic operation each and allocate nothing.
/// </para>
/// <para>
/// A reset, a DMA map or unmap of memory with a descriptor, and a change of the migration state wait until nobody is inside. So stay
/// inside for milliseconds, and do not wait inside for the Command thread, a posted action or a timer. Take jobs from a queue that a
/// reset clears only inside: a job taken before entering could run after the reset.
/// </para>
/// </remarks>
public sealed class DeviceWork
{
    private readonly object _changed = new();
    private RundownCount _count = RundownCount.Open;
    private TaskCompletionSource? _opened; // null while no thread waits to enter
    private TaskCompletionSource? _left;
    private CancellationToken _stop;

    internal DeviceWork()
    {
    }

    /// <summary>Whether the library waits until nobody is inside: whoever does a batch inside ends it early, for a client may wait for
    /// that. Any thread; may change at once.</summary>
    public bool IsClosing => !_count.IsOpen;

    /// <summary>Enters; waits while the device is quiesced.</summary>
    /// <returns>Leaves when it is disposed. Dispose it exactly once.</returns>
    /// <exception cref="OperationCanceledException">The device is no longer served.</exception>
    /// <remarks>Blocks the thread: for workers with their own thread.</remarks>
    public DeviceWorkScope Enter()
    {
        while (!TryEnter())
        {
            lock (_changed)
            {
                _stop.ThrowIfCancellationRequested();
                if (!_count.IsOpen)
                    Monitor.Wait(_changed);
            }
        }
        return new DeviceWorkScope(this);
    }

    /// <summary>Enters; waits while the device is quiesced.</summary>
    /// <inheritdoc cref="Enter"/>
    /// <remarks>Does not block the thread.</remarks>
    public ValueTask<DeviceWorkScope> EnterAsync() => TryEnter() ? new(new DeviceWorkScope(this)) : EnterLaterAsync();

    /// <summary>Enters without waiting.</summary>
    /// <returns>True if it has entered: call <see cref="Exit"/>. False while the device is quiesced, and when it is no longer served.</returns>
    public bool TryEnter() => !_stop.IsCancellationRequested && _count.TryEnter();

    /// <summary>Leaves, after <see cref="TryEnter"/>.</summary>
    public void Exit()
    {
        if (!_count.Exit())
            return;
        TaskCompletionSource? left;
        lock (_changed)
            left = _left;
        left?.TrySetResult();
    }

    /// <summary>Called when users may enter again, and when the run ends; null for nothing. It must only wake a thread.</summary>
    internal Action? Opened { get; set; }

    /// <summary>A run begins.</summary>
    /// <param name="stop">Cancelled when it ends; <see cref="Stopped"/> follows.</param>
    internal void Begin(CancellationToken stop) => _stop = stop;

    /// <summary>The run ends: calls that wait to enter throw, and a thread that sleeps is woken.</summary>
    internal void Stopped()
    {
        WakeAll();
        Opened?.Invoke();
    }

    /// <summary>Admits no user any more.</summary>
    /// <returns>Completes when no user is inside, on the thread of the last one: a thread of the pool may be long in coming, and a client
    /// waits. Let it do no more than wake another.</returns>
    internal Task Close()
    {
        _count.Close();
        lock (_changed)
        {
            if (_count.IsRundown)
                return Task.CompletedTask;
            _left ??= new TaskCompletionSource();
            return _left.Task;
        }
    }

    /// <summary>Lets users in again, whether others are still inside or not.</summary>
    internal void Open()
    {
        _count.Reopen();
        WakeAll();
        Opened?.Invoke();
    }

    private async ValueTask<DeviceWorkScope> EnterLaterAsync()
    {
        while (!TryEnter())
        {
            Task opened;
            lock (_changed)
            {
                _stop.ThrowIfCancellationRequested();
                if (_count.IsOpen)
                    continue;
                _opened ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                opened = _opened.Task;
            }
            await opened.ConfigureAwait(false);
        }
        return new DeviceWorkScope(this);
    }

    private void WakeAll()
    {
        lock (_changed)
        {
            if (_count.IsOpen)
                _left = null;
            _opened?.TrySetResult();
            _opened = null;
            Monitor.PulseAll(_changed);
        }
    }
}
