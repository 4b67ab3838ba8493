namespace VfioUser.Disks;

/// <summary>The bytes of a disk, from 0 to <see cref="Size"/>. Derive from it: reading and writing is all that a disk must do.</summary>
/// <remarks>
/// <para><b>Any thread, several calls at once</b>, with or without an order among them: a guest that wants an order waits. Offsets and
/// lengths are in bytes, within the disk, and multiples of the block size that the guest sees. Buffers are the device's, not the guest's
/// memory, so their contents hold still; they lie at a multiple of 4096 bytes and are never moved, as O_DIRECT and native code want it,
/// and are the disk's until the answer.</para>
/// <para><b>Failures</b> are exceptions, and become the command's status: <see cref="DiskException"/> says which;
/// <see cref="IOException"/> is a media error, or a full disk by its errno; a cancelled call was aborted; anything else is an internal
/// error. None ends the device.</para>
/// <para>A call that is answered before it returns costs no allocation. One that is not leaves its thread at once, and the answer may
/// come from any thread.</para>
/// <code>
/// internal sealed class Ram(byte[] bytes) : Disk
/// {
///     public override long Size =&gt; bytes.Length;
///
///     public override ValueTask ReadAsync(long offset, Memory&lt;byte&gt; destination, CancellationToken cancellation = default)
///     {
///         bytes.AsMemory((int)offset, destination.Length).CopyTo(destination);
///         return default;
///     }
///
///     public override ValueTask WriteAsync(long offset, ReadOnlyMemory&lt;byte&gt; source, CancellationToken cancellation = default)
///     {
///         source.CopyTo(bytes.AsMemory((int)offset));
///         return default;
///     }
/// }
/// </code>
/// </remarks>
public abstract class Disk : IDisposable
{
    // what the default for zeros writes at one time
    private const int ZeroesLength = 64 << 10;

    private static readonly ReadOnlyMemory<byte> Zeroes = NewZeroes();
    private readonly FlushGroup _flushes;
    private readonly string _identity = Guid.NewGuid().ToString();

    /// <summary>A disk.</summary>
    protected Disk() => _flushes = new FlushGroup(WriteBackAsync);

    /// <summary>In bytes. A disk that changes it calls <see cref="OnSizeChanged"/>.</summary>
    public abstract long Size { get; }

    /// <summary>Tells which bytes these are: two disks have one identity if they are the same bytes, on whatever host. The guest's
    /// name for the disk is made of it, so it lasts as long as they do. Without one of its own it is this object's alone.</summary>
    public virtual string Identity => _identity;

    /// <summary>Whether it is this process that reads and writes the bytes, and no other. See <see cref="Activate"/>.</summary>
    public virtual bool IsActive => true;

    /// <summary>Whether writes are refused.</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>Whether a power loss before <see cref="FlushAsync"/> may lose writes that were answered. Then the guest flushes, and
    /// may turn the cache off; otherwise every write is durable when it is answered.</summary>
    public virtual bool HasVolatileCache => false;

    /// <summary>Whether calls may block their thread, as system calls on a file do: then they are made on a thread of their own, unless
    /// the last ones were fast. A disk that answers at once or later, but never blocks, says false, and is called on the thread that
    /// serves the queue.</summary>
    public virtual bool MayBlock => true;

    /// <summary>What is good to know about its accesses. Read once, when the device is made.</summary>
    public virtual DiskHints Hints => DiskHints.None;

    /// <summary>The disk has another size. Any thread.</summary>
    public event EventHandler? SizeChanged;

    /// <summary>Reads bytes.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="destination">Filled completely.</param>
    /// <param name="cancellation">The answer is not wanted any more. A disk may ignore it.</param>
    public abstract ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default);

    /// <summary>Writes bytes.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="source">Does not change before the answer.</param>
    /// <param name="cancellation">As of <see cref="ReadAsync"/>; whether the bytes are written is open then.</param>
    public abstract ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default);

    /// <summary>Of a disk that <see cref="MayBlock"/>: whether inline calls and <see cref="Submit"/> wait for no device.</summary>
    /// <param name="writes">Of which calls.</param>
    internal virtual bool IsAsynchronous(bool writes) => false;

    /// <summary>As <see cref="ReadAsync"/>, for a caller that goes on on whatever thread brings the answer, and waits for nothing there:
    /// it saves a hand-over between threads. Nothing need be done before <see cref="Submit"/>.</summary>
    internal virtual ValueTask ReadInlineAsync(long offset, Memory<byte> destination, CancellationToken cancellation) =>
        ReadAsync(offset, destination, cancellation);

    /// <summary>As <see cref="WriteAsync"/>, for a caller as that of <see cref="ReadInlineAsync"/>.</summary>
    internal virtual ValueTask WriteInlineAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation) =>
        WriteAsync(offset, source, cancellation);

    /// <summary>Begins all that the inline calls have asked for: what is begun together costs fewer system calls.</summary>
    internal virtual void Submit()
    {
    }

    /// <summary>Writes bytes, and answers when they are durable. By default writes and flushes.</summary>
    /// <inheritdoc cref="WriteAsync"/>
    public virtual async ValueTask WriteDurablyAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        await WriteAsync(offset, source, cancellation).ConfigureAwait(false);
        await FlushAsync().ConfigureAwait(false);
    }

    /// <summary>Zeroes bytes. By default writes zeros.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="length">In bytes; may be longer than any write.</param>
    /// <param name="deallocate">Whether their storage may be freed.</param>
    /// <param name="cancellation">As of <see cref="WriteAsync"/>.</param>
    public virtual async ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default)
    {
        while (length > 0)
        {
            int count = (int)Math.Min(length, ZeroesLength);
            await WriteAsync(offset, Zeroes[..count], cancellation).ConfigureAwait(false);
            offset += count;
            length -= count;
        }
    }

    /// <summary>Deallocates bytes that the guest does not need any more: they become zero, or stay. By default they stay.</summary>
    /// <inheritdoc cref="WriteZeroesAsync"/>
    public virtual ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) => default;

    /// <summary>Whether it has <see cref="SecureEraseAsync"/>.</summary>
    public virtual bool CanSecureErase => false;

    /// <summary>Erases bytes so that nobody can get them back, whoever has the storage. Their contents are open afterwards.</summary>
    /// <exception cref="NotSupportedException">It cannot: see <see cref="CanSecureErase"/>.</exception>
    /// <inheritdoc cref="WriteZeroesAsync"/>
    public virtual ValueTask SecureEraseAsync(long offset, long length, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Makes all writes durable that were answered before the call. Calls at the same time share one
    /// <see cref="WriteBackAsync"/>.</summary>
    /// <exception cref="FlushFailedException">Some are lost. From then on every flush fails: none could make up for them.</exception>
    public ValueTask FlushAsync() => _flushes.FlushAsync();

    /// <summary>Makes all writes durable that were answered before the call. One at a time. By default there is nothing to do.</summary>
    protected virtual ValueTask WriteBackAsync() => default;

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

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases resources. The devices that use the disk have been disposed.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    private static Memory<byte> NewZeroes()
    {
        Memory<byte> zeroes = AlignedMemory.Allocate(ZeroesLength);
        zeroes.Span.Clear();
        return zeroes;
    }

    /// <summary>Tells the device that <see cref="Size"/> has changed. Any thread.</summary>
    protected void OnSizeChanged() => SizeChanged?.Invoke(this, EventArgs.Empty);
}
