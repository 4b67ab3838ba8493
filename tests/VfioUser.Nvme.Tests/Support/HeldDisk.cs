namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that takes its time: accesses wait until the test lets them go.</summary>
internal sealed class HeldDisk(long size, bool failing = false) : Disk
{
    private readonly MemoryDisk _memory = new(size);
    private readonly object _gate = new();
    private readonly SemaphoreSlim _entered = new(0);
    private bool _isOpen;
    private int _permits;
    private int _flushes;

    public override long Size => _memory.Size;

    public override bool HasVolatileCache => true;

    public int Flushes => Volatile.Read(ref _flushes);

    /// <summary>No access waits from now on.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _isOpen = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>One access goes on.</summary>
    public void ReleaseOne()
    {
        lock (_gate)
        {
            _permits++;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Accesses wait again.</summary>
    public void Hold()
    {
        lock (_gate)
            (_isOpen, _permits) = (false, 0);
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
        Release();
        base.Dispose(disposing);
    }

    private void Enter()
    {
        _entered.Release();
        lock (_gate)
        {
            while (!_isOpen && _permits == 0)
                Monitor.Wait(_gate);
            if (!_isOpen)
                _permits--;
        }
        if (failing)
            throw new IOException("the disk is broken");
    }
}
