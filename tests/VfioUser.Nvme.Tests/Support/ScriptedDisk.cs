namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that does as the test says before each access.</summary>
internal sealed class ScriptedDisk(long size, bool blocks = true) : NvmeDisk
{
    private readonly MemoryDisk _memory = new(size);

    public override long Size => _memory.Size;

    public override bool Blocks => blocks;

    public override bool HasVolatileCache => true;

    public Action OnRead { get; set; } = () => { };

    public Action OnWrite { get; set; } = () => { };

    public Action OnFlush { get; set; } = () => { };

    public override Span<byte> Window(long offset, int length, bool writable)
    {
        (writable ? OnWrite : OnRead)();
        return blocks ? default : _memory.Window(offset, length, writable);
    }

    public override void Read(long offset, Span<byte> destination)
    {
        OnRead();
        _memory.Read(offset, destination);
    }

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        OnWrite();
        _memory.Write(offset, source);
    }

    public override void WriteZeroes(long offset, long length, bool deallocate)
    {
        OnWrite();
        _memory.WriteZeroes(offset, length, deallocate);
    }

    public override void Deallocate(long offset, long length) => WriteZeroes(offset, length, deallocate: true);

    protected override void WriteBack() => OnFlush();
}
