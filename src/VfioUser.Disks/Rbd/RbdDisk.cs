namespace VfioUser.Disks;

/// <summary>Blocks of an image in a Ceph cluster, by librbd.</summary>
/// <remarks>
/// <para>Any thread. Needs <c>librbd.so.1</c> of Ceph 16 or newer, of Debian's package librbd1, which is loaded when the first such disk
/// is opened.</para>
/// <para>The image is locked while it is written to, if it has the feature exclusive-lock: no other client writes to it. Whoever has
/// the lock and is gone has it no more. A cluster that does not answer keeps the guest waiting, see
/// <see cref="RbdDiskOptions.GiveUpAfter"/>; an access cannot be cancelled, for the library uses its memory until the answer.</para>
/// </remarks>
public sealed class RbdDisk : Disk
{
    // zeros and discards: one request for each object is in memory at once
    private const long LongestRange = 1L << 30;

    // what the kernel's driver for images says, too
    private const int PreferredWriteLength = 64 << 10;

    private readonly RbdDiskOptions _options;
    private readonly RbdImage _image;
    private readonly RbdRequests _requests;
    private readonly RbdWatch _watch;
    private readonly string _name;
    private long _size;
    private volatile bool _isActive;

    private RbdDisk(RbdAddress address, RbdDiskOptions options, RbdImage image)
    {
        _options = options;
        _image = image;
        _name = address.ToString();
        Identity = image.Identity;
        IsReadOnly = options.IsReadOnly || address.Snapshot is not null;
        Hints = new DiskHints
        {
            PreferredWriteLength = PreferredWriteLength,
            DeallocationLength = PowerOf2(image.Option("rbd_discard_granularity_bytes")),
            BoundaryLength = PowerOf2(image.StripeUnit),
        };
        _isActive = !options.IsIncoming || IsReadOnly;
        if (_isActive && !IsReadOnly)
            Lock();
        _requests = new RbdRequests(image.Handle);
        _size = image.Size;
        _watch = new RbdWatch(image, OnSized);
    }

    /// <inheritdoc/>
    public override long Size => Volatile.Read(ref _size);

    /// <summary>Made of the cluster's and the image's own numbers: other names and a rename do not change it.</summary>
    public override string Identity { get; }

    /// <inheritdoc/>
    public override bool IsActive => _isActive;

    /// <summary>Whether it was opened so, or is a snapshot.</summary>
    public override bool IsReadOnly { get; }

    /// <summary>Always: whether librbd caches is the cluster's and the image's to say, and a flush without one costs little.</summary>
    public override bool HasVolatileCache => true;

    /// <inheritdoc/>
    public override bool MayBlock => false;

    /// <summary>From the size of the image's objects.</summary>
    public override DiskHints Hints { get; }

    /// <summary>Opens an image.</summary>
    /// <param name="address"><c>rbd:pool[/namespace]/image[@snapshot][:option=value...]</c>, as for QEMU: the options are <c>id</c> for
    /// the user, <c>conf</c> for a file, and any of Ceph's, such as <c>keyring</c>. A backslash takes the meaning from the character
    /// behind it.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Ends the wait; the attempt ends by itself.</param>
    /// <exception cref="ArgumentException">It is no such address.</exception>
    /// <exception cref="IOException">librbd is not installed, the cluster cannot be reached, it has no such image, or another client has
    /// locked it. The message says which.</exception>
    public static Task<RbdDisk> OpenAsync(string address, RbdDiskOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        RbdAddress parsed = RbdAddress.Parse(address);
        return OpenAsync(parsed, options ?? new RbdDiskOptions(), cancellation);
    }

    /// <summary>Looks how large the image is now, and tells the guest if that has changed. A resize is seen without this.</summary>
    /// <exception cref="IOException">It cannot be told.</exception>
    /// <remarks>Any thread. Waits for the network.</remarks>
    public void UpdateSize() => _watch.Look();

    /// <inheritdoc/>
    public override void Activate()
    {
        if (_isActive)
            return;
        Lock();
        _image.DropCache();
        _isActive = true;
        UpdateSize();
    }

    /// <inheritdoc/>
    public override void Inactivate()
    {
        if (IsReadOnly)
            return;
        _isActive = false;
        _image.Unlock();
    }

    /// <inheritdoc/>
    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default) =>
        _requests.StartAsync(RbdAccess.Read, offset, destination.Length, destination);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        ThrowIfNotWritable(offset, source.Length);
        return _requests.StartAsync(RbdAccess.Write, offset, source.Length, source);
    }

    /// <inheritdoc/>
    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate,
        CancellationToken cancellation = default) =>
        OnRangeAsync(deallocate ? RbdAccess.Zero : RbdAccess.ZeroAllocated, offset, length, cancellation);

    /// <inheritdoc/>
    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) =>
        OnRangeAsync(RbdAccess.Discard, offset, length, cancellation);

    /// <inheritdoc/>
    protected override ValueTask WriteBackAsync() => IsReadOnly ? default : _requests.StartAsync(RbdAccess.Flush, 0, 0);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Close();
        base.Dispose(disposing);
    }

    private static async Task<RbdDisk> OpenAsync(RbdAddress address, RbdDiskOptions options, CancellationToken cancellation)
    {
        Task<RbdDisk> opening = Task.Run(() => Open(address, options), CancellationToken.None);
        try
        {
            return await opening.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = opening.ContinueWith(static late => late.Result.Dispose(), CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    private static RbdDisk Open(RbdAddress address, RbdDiskOptions options)
    {
        RbdImage image = RbdImage.Open(address, options);
        RbdDisk? disk = null;
        try
        {
            disk = new RbdDisk(address, options, image);
            disk.UpdateSize(); // what has changed before the watch
            return disk.Size > 0 ? disk : throw new IOException($"{address} is empty.");
        }
        catch
        {
            if (disk is null)
                image.Dispose();
            else
                disk.Dispose();
            throw;
        }
    }

    private void Close()
    {
        _requests.Close();
        _watch.Dispose();
        _image.Dispose();
        _requests.Release();
        _watch.Release();
    }

    private void Lock()
    {
        if (!_image.Lock())
            _options.Log?.Invoke($"{_name} has no exclusive-lock feature: nothing keeps other clients from writing to it.");
    }

    private void OnSized(long size)
    {
        if (Interlocked.Exchange(ref _size, size) != size)
            OnSizeChanged();
    }

    private async ValueTask OnRangeAsync(RbdAccess access, long offset, long length, CancellationToken cancellation)
    {
        ThrowIfNotWritable(offset, length);
        while (length > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            long count = Math.Min(length, LongestRange - offset % LongestRange);
            await _requests.StartAsync(access, offset, count).ConfigureAwait(false);
            offset += count;
            length -= count;
        }
    }

    // the library would cut off what is behind the end of an image that has shrunk, and say nothing
    private void ThrowIfNotWritable(long offset, long length)
    {
        if (IsReadOnly)
            throw new DiskException(DiskError.WriteProtected);
        if (length > Size - offset)
            throw new DiskException(DiskError.Media, $"{_name} has {Size} bytes, of which none of {length} at {offset} are all.");
    }

    private static int PowerOf2(long length) => length is > 0 and <= 1 << 30 && long.IsPow2(length) ? (int)length : 0;
}
