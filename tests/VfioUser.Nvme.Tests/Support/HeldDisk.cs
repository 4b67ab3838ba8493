namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that takes its time: accesses wait until the test lets them go.</summary>
internal sealed class HeldDisk(long size, bool failing = false) : NvmeDisk
{
    private readonly MemoryDisk _memory = new(size);
    private readonly ManualResetEventSlim _released = new(initialState: false);
    private readonly SemaphoreSlim _entered = new(0);
    private int _flushes;

    public override long Size => _memory.Size;

    public override bool HasVolatileCache => true;

    public int Flushes => Volatile.Read(ref _flushes);

    public void Release() => _released.Set();

    /// <summary>Accesses wait again.</summary>
    public void Hold()
    {
        _released.Reset();
        while (_entered.Wait(TimeSpan.Zero))
        {
        }
    }

    /// <summary>Waits until one more access is under way.</summary>
    public void WaitForAccess() => _entered.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue("an access was expected");

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        Enter();
        return _memory.ReadAsync(offset, destination, cancellation);
    }

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        Enter();
        return _memory.WriteAsync(offset, source, cancellation);
    }

    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default)
    {
        Enter();
        return _memory.WriteZeroesAsync(offset, length, deallocate, cancellation);
    }

    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) =>
        WriteZeroesAsync(offset, length, deallocate: true, cancellation);

    protected override ValueTask WriteBackAsync()
    {
        Interlocked.Increment(ref _flushes);
        return default;
    }

    protected override void Dispose(bool disposing)
    {
        _released.Set();
        base.Dispose(disposing);
    }

    private void Enter()
    {
        _entered.Release();
        _released.Wait();
        if (failing)
            throw new IOException("the disk is broken");
    }
}
