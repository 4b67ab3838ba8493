namespace VfioUser;

/// <summary>A worker's right to use guest memory, interrupts and the device's registers: rundown protection that the library closes
/// before the device is quiesced, and opens when it is resumed.</summary>
/// <remarks>
/// <para>
/// One for each worker: see <see cref="PciDevice.AddWorker"/>. Any thread; several may be inside at one time. To enter and to leave
/// take an atomic operation each and allocate nothing while it is open.
/// </para>
/// <para>
/// A reset, a map or an unmap, and the change of a migration state wait until nobody is inside; so stay inside for milliseconds,
/// and do not wait there for the Command thread, a posted action or a timer. What a reset takes away, such as the queue of jobs,
/// is taken inside: who takes it first and then waits at the door works on what was before the reset.
/// </para>
/// </remarks>
public sealed class DeviceWork
{
    private readonly object _changed = new();
    private RundownCount _count = RundownCount.Open;
    private TaskCompletionSource? _opened; // there are some who wait for that
    private TaskCompletionSource? _left;
    private CancellationToken _stop;

    internal DeviceWork()
    {
    }

    /// <summary>Enters; waits while the device is quiesced.</summary>
    /// <returns>Inside until it is disposed, which is done once.</returns>
    /// <exception cref="OperationCanceledException">The device is not served any more.</exception>
    /// <remarks>Blocks: for a thread of the worker's own.</remarks>
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
    /// <remarks>Blocks nobody.</remarks>
    public ValueTask<DeviceWorkScope> EnterAsync() => TryEnter() ? new(new DeviceWorkScope(this)) : EnterLaterAsync();

    /// <summary>Enters, if that is possible now.</summary>
    /// <returns>Whether it is inside: it then has to <see cref="Exit"/>. False while the device is quiesced, and when it is not served any more.</returns>
    public bool TryEnter() => !_stop.IsCancellationRequested && _count.TryEnter();

    /// <summary>Leaves, after <see cref="TryEnter"/>.</summary>
    public void Exit()
    {
        if (!_count.Exit())
            return;
        lock (_changed)
            _left?.TrySetResult();
    }

    /// <summary>A run begins.</summary>
    /// <param name="stop">Cancelled when it ends; <see cref="Stopped"/> follows.</param>
    internal void Begin(CancellationToken stop) => _stop = stop;

    /// <summary>The run ends: whoever waits comes back.</summary>
    internal void Stopped() => WakeAll();

    /// <summary>Lets nobody in any more.</summary>
    /// <returns>Ends when nobody is inside any more. Nothing of the device runs within who ends it.</returns>
    internal Task Close()
    {
        _count.Close();
        lock (_changed)
        {
            if (_count.IsRundown)
                return Task.CompletedTask;
            _left ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _left.Task;
        }
    }

    /// <summary>Lets users in again, whether others are still inside or not.</summary>
    internal void Open()
    {
        _count.Reopen();
        WakeAll();
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
