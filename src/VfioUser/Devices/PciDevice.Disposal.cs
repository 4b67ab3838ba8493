namespace VfioUser;

/// <content>The end of a device.</content>
public abstract partial class PciDevice : IDisposable
{
    private readonly Lock _life = new();
    private bool _served;
    private bool _disposed;

    /// <summary>Ends the device: its shared memory is unmapped, and its descriptors are closed.</summary>
    /// <remarks>
    /// Any thread, as often as you like, from the device's code too. A device that is served stays until it is free, and its
    /// server is not told to end: then it is disposed on the thread that has served it. It cannot be served again. Whoever makes
    /// a device disposes it, unless it is given to a <see cref="VfioUserHost"/>.
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

    internal bool IsServed
    {
        get
        {
            lock (_life)
                return _served;
        }
    }

    /// <summary>The device ends: what it has of its own, threads above all, ends here; then call the base.</summary>
    /// <param name="disposing">True: there is no finalizer.</param>
    /// <remarks>Once, while it is not served. <see cref="RegionMemory"/> is there until the base was called; no thread of the
    /// device's may touch it afterwards.</remarks>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        foreach (Region? region in _regions)
            region?.Dispose();
    }

    internal void EndServing()
    {
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

    private void DisposeNow() => Dispose(disposing: true);
}
