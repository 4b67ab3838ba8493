namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that takes its time: accesses wait until the test lets them go.</summary>
internal sealed class HeldDisk(long size, bool failing = false) : NvmeDisk
{
    private readonly MemoryDisk _memory = new(size);
    private readonly ManualResetEventSlim _released = new(initialState: false);
    private readonly SemaphoreSlim _entered = new(0);
    private int _flushes;

    public override long Size => _memory.Size;

    public override bool Blocks => true;

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

    public override void Read(long offset, Span<byte> destination)
    {
        Enter();
        _memory.Read(offset, destination);
    }

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        Enter();
        _memory.Write(offset, source);
    }

    public override void WriteZeroes(long offset, long length, bool deallocate)
    {
        Enter();
        _memory.WriteZeroes(offset, length, deallocate);
    }

    public override void Deallocate(long offset, long length) => WriteZeroes(offset, length, deallocate: true);

    protected override void WriteBack() => Interlocked.Increment(ref _flushes);

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
