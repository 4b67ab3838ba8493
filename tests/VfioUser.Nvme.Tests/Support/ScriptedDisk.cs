namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that does as the test says before each access.</summary>
internal sealed class ScriptedDisk(long size, bool blocks = true) : Disk
{
    private readonly MemoryDisk _memory = new(size);

    public override long Size => _memory.Size;

    public override bool MayBlock => blocks;

    public override bool HasVolatileCache => true;

    public Action OnRead { get; set; } = () => { };

    public Action OnWrite { get; set; } = () => { };

    public Action OnFlush { get; set; } = () => { };

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        OnRead();
        return _memory.ReadAsync(offset, destination, cancellation);
    }

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        OnWrite();
        return _memory.WriteAsync(offset, source, cancellation);
    }

    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default)
    {
        OnWrite();
        return _memory.WriteZeroesAsync(offset, length, deallocate, cancellation);
    }

    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) =>
        WriteZeroesAsync(offset, length, deallocate: true, cancellation);

    protected override ValueTask WriteBackAsync()
    {
        OnFlush();
        return default;
    }
}
