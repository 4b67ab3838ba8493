namespace VfioUser.Disks;

/// <summary>Hears of it when an image has changed, as by a resize.</summary>
internal sealed class RbdWatch : NativeCallback, IDisposable
{
    private readonly RbdImage _image;
    private readonly Action<long> _sized;
    private readonly Lock _lock = new();
    private readonly ulong _watch;
    private readonly bool _isWatching;
    private bool _isClosed;

    /// <param name="image">Open for as long as this is.</param>
    /// <param name="sized">Called with the image's size, which may be the same as before. One call at a time.</param>
    public RbdWatch(RbdImage image, Action<long> sized)
    {
        _image = image;
        _sized = sized;
        _isWatching = Librbd.Watch(image.Handle, out _watch, Updated, Argument) >= 0;
    }

    /// <summary>Looks how large the image is now.</summary>
    /// <exception cref="IOException">It cannot be told.</exception>
    public void Look()
    {
        lock (_lock)
        {
            if (!_isClosed)
                _sized(_image.Size);
        }
    }

    /// <summary>Before the image is closed.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isClosed = true;
        if (_isWatching)
            _ = Librbd.Unwatch(_image.Handle, _watch); // waits for a call that is under way; none comes after it
    }

    // The size is asked of the cluster, by the thread that calls this.
    protected override void Update() => ThreadPool.UnsafeQueueUserWorkItem(static watch => watch.TryLook(), this, preferLocal: false);

    private void TryLook()
    {
        try
        {
            Look();
        }
        catch (IOException)
        {
            // the image is gone, or the cluster: accesses tell so, and the size is as before
        }
    }
}
