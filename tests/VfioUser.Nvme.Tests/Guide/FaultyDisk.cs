namespace VfioUser.Nvme.Tests.Guide;

/// <summary>Fails as it is told to, to see what a guest makes of it.</summary>
public sealed class FaultyDisk(Disk below) : Disk
{
    /// <summary>What is called before each access, with its offset: it throws, or waits, or does nothing.</summary>
    public Func<long, Task> Before { get; set; } = _ => Task.CompletedTask;

    public override long Size => below.Size;

    public override string Identity => below.Identity;

    public override bool HasVolatileCache => true;

    public override async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        await Before(offset);
        await below.ReadAsync(offset, destination, cancellation);
    }

    public override async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        await Before(offset);
        await below.WriteAsync(offset, source, cancellation);
    }

    protected override ValueTask WriteBackAsync() => below.FlushAsync();
}
