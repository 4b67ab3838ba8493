namespace VfioUser.Nvme;

/// <summary>Storage of a namespace: bytes from 0 to <see cref="Size"/>.</summary>
/// <remarks>Any thread, several at once; the caller checks ranges. A failure throws an <see cref="IOException"/>.</remarks>
public abstract class NvmeDisk : IDisposable
{
    private readonly FlushGroup _flushes;
    private readonly Lock _window = new();
    private readonly string _identity = Guid.NewGuid().ToString();

    /// <summary>A disk.</summary>
    protected NvmeDisk() => _flushes = new FlushGroup(WriteBack);

    /// <summary>In bytes.</summary>
    public abstract long Size { get; }

    /// <summary>Tells which bytes these are: two disks have one identity if they are the same bytes, on whatever host. The guest's
    /// name for the disk is made of it, so it lasts as long as they do. Without one of its own it is this object's alone.</summary>
    public virtual string Identity => _identity;

    /// <summary>Whether it is this process that reads and writes the bytes, and no other. See <see cref="Activate"/>.</summary>
    public virtual bool IsActive => true;

    /// <summary>Whether writes are refused.</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>Whether a power loss before <see cref="Flush"/> may lose writes.</summary>
    public virtual bool HasVolatileCache => false;

    /// <summary>Whether accesses may block on a device: then they are not made on the thread that serves a queue.</summary>
    public virtual bool Blocks => false;

    /// <summary>Direct access to the bytes from <paramref name="offset"/> on, if they are in memory.</summary>
    /// <param name="offset">Of the first byte.</param>
    /// <param name="length">The most bytes to return; at least one.</param>
    /// <param name="writable">Whether the caller writes to them.</param>
    /// <returns>At least one byte; or none if this backend has no direct access.</returns>
    public virtual Span<byte> Window(long offset, int length, bool writable) => default;

    /// <summary>The lock to hold while a window is copied, so that each block is seen as a whole.</summary>
    /// <param name="offset">Of the window's first byte.</param>
    public virtual Lock WindowLock(long offset) => _window;

    /// <summary>Reads bytes.</summary>
    public abstract void Read(long offset, Span<byte> destination);

    /// <summary>Writes bytes.</summary>
    public abstract void Write(long offset, ReadOnlySpan<byte> source);

    /// <summary>Zeroes bytes.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="deallocate">Whether their storage may be freed.</param>
    public abstract void WriteZeroes(long offset, long length, bool deallocate);

    /// <summary>Deallocates bytes that the guest does not need any more: they may become zero, or stay.</summary>
    public abstract void Deallocate(long offset, long length);

    /// <summary>Makes all writes durable that were completed before the call.</summary>
    /// <exception cref="FlushFailedException">Some are lost. From then on every flush fails: none could make up for them.</exception>
    public void Flush() => _flushes.Flush();

    /// <summary>Makes all earlier writes durable. One at a time.</summary>
    protected abstract void WriteBack();

    /// <summary>Begins to use bytes that another host may have written since: locks them, and forgets what is cached of them. Not
    /// while commands run.</summary>
    /// <exception cref="IOException">Another process has them.</exception>
    public virtual void Activate()
    {
    }

    /// <summary>Gives the bytes up for another host, which <see cref="Activate"/>s them. They have been flushed, and no command runs.</summary>
    public virtual void Inactivate()
    {
    }

    /// <summary>Zeroes all bytes.</summary>
    public virtual void Clear() => WriteZeroes(0, Size, deallocate: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases resources.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
