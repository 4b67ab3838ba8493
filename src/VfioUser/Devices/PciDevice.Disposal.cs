namespace VfioUser;

/// <content>Disposal.</content>
public abstract partial class PciDevice : IDisposable
{
    private readonly Lock _life = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _served;
    private bool _disposed;

    /// <summary>Disposes the device: unmaps its shared memory and closes its descriptors.</summary>
    /// <remarks>
    /// Any thread, any number of times, also from the device's code. While the device is being served, this does not stop its
    /// server: the device is disposed when the server has stopped, on the thread that served it. It cannot be served again.
    /// The creator of a device disposes it, unless it is given to a <see cref="VfioUserHost"/>.
    /// </remarks>
    public void Dispose()
    {
        lock (_life)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_served)
                return;
        }
        DisposeNow();
        GC.SuppressFinalize(this);
    }

    /// <summary>Completes when the device has been disposed: in <see cref="Dispose()"/>, or when its server has stopped after it.</summary>
    /// <remarks>Not to be waited for in the device's code. There is no <see cref="IAsyncDisposable"/> that would wait for it: a container
    /// that disposes the device before its server would wait for ever.</remarks>
    public Task Disposal => _ended.Task;

    internal bool IsServed
    {
        get
        {
            lock (_life)
                return _served;
        }
    }

    /// <summary>Override it to stop the device's threads and release its resources; then call the base.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    /// <remarks>Called once, while the device is not served. <see cref="RegionMemory"/> is valid until the base is called; no
    /// thread of the device may use it afterwards.</remarks>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        try
        {
            foreach (DevicePart part in _parts)
                part.Dispose();
        }
        finally
        {
            foreach (Region? region in _regions)
                region?.Dispose();
        }
    }

    internal void EndServing()
    {
        Unmodelled.Observer = null;
        RemoveRegisterMap();
        lock (_life)
        {
            _served = false;
            if (!_disposed)
                return;
        }
        DisposeNow();
    }

    private void BeginServed()
    {
        lock (_life)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_served)
                throw new InvalidOperationException("The device is being served already. Make another one for another server.");
            if (!Workers.Ended.IsCompleted)
                throw new InvalidOperationException($"Workers of the device have not ended since it was served last: {Workers.Names}.");
            _served = true;
        }
    }

    private void DisposeNow()
    {
        try
        {
            Dispose(disposing: true);
        }
        finally
        {
            CommandWork.Resets.Dispose();
            _ended.TrySetResult();
        }
    }
}
