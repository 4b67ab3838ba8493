namespace Nvme.Backends;

/// <summary>Where a namespace keeps its blocks: bytes from 0 to <see cref="Size"/>.</summary>
/// <remarks>Any thread, several at once; ranges are checked by the caller. What fails is an <see cref="IOException"/>.</remarks>
public abstract class Backend : IDisposable
{
    /// <summary>In bytes.</summary>
    public abstract long Size { get; }

    /// <summary>Whether writes are refused.</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>Whether writes may be lost with the power before <see cref="Flush"/>.</summary>
    public virtual bool HasVolatileCache => false;

    /// <summary>Whether accesses may wait for a device: these do not belong on the thread that serves a queue.</summary>
    public virtual bool Blocks => false;

    /// <summary>The bytes themselves where they lie in memory, from <paramref name="offset"/> on.</summary>
    /// <param name="offset">Of the first byte.</param>
    /// <param name="length">As many at most, at least one.</param>
    /// <param name="writable">Whether they are to be changed.</param>
    /// <returns>At least one byte; or none if this backend does not work so.</returns>
    public virtual Span<byte> Window(long offset, int length, bool writable) => default;

    /// <summary>Reads bytes.</summary>
    public abstract void Read(long offset, Span<byte> destination);

    /// <summary>Writes bytes.</summary>
    public abstract void Write(long offset, ReadOnlySpan<byte> source);

    /// <summary>Makes bytes zero.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="deallocate">Whether their room may be given back.</param>
    public abstract void WriteZeroes(long offset, long length, bool deallocate);

    /// <summary>These bytes are not needed any more: they may become zero, or stay.</summary>
    public abstract void Deallocate(long offset, long length);

    /// <summary>When it returns, all that was written before is durable.</summary>
    public abstract void Flush();

    /// <summary>Makes all bytes zero.</summary>
    public virtual void Clear() => WriteZeroes(0, Size, deallocate: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes what it holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
