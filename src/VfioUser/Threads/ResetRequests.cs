namespace VfioUser;

/// <summary>The resets that a device has requested of itself and that have not begun. All of them are one.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class ResetRequests : IDisposable
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<bool>? _waiting;
    private bool _isOver;

    /// <summary>Whether there is one.</summary>
    public bool IsWaiting => Volatile.Read(ref _waiting) is not null;

    /// <summary>Requests a reset, or joins the request that is waiting.</summary>
    /// <returns>Completes with whether the device was reset; cancelled when the device is disposed.</returns>
    public Task<bool> Add()
    {
        lock (_lock)
        {
            if (_isOver)
                return Task.FromCanceled<bool>(new CancellationToken(canceled: true));
            // code of the device must not run within whoever completes it
            _waiting ??= new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task;
        }
    }

    /// <summary>A reset begins: later requests wait for another one.</summary>
    /// <returns>For the caller to complete; null if none is waiting.</returns>
    public TaskCompletionSource<bool>? Take()
    {
        lock (_lock)
        {
            TaskCompletionSource<bool>? waiting = _waiting;
            Volatile.Write(ref _waiting, null);
            return waiting;
        }
    }

    /// <summary>The device is disposed: nothing will reset it any more.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isOver = true;
        Take()?.TrySetCanceled(new CancellationToken(canceled: true));
    }
}
