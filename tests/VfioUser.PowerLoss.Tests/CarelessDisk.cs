namespace VfioUser.PowerLoss.Tests;

/// <summary>A disk with a mistake, which the tests have to find.</summary>
internal sealed class CarelessDisk(Disk below) : Disk
{
    public bool Flushes { get; init; } = true;

    public bool WritesDurably { get; init; } = true;

    public override long Size => below.Size;

    public override bool HasVolatileCache => below.HasVolatileCache;

    public override bool MayBlock => below.MayBlock;

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default) =>
        below.ReadAsync(offset, destination, cancellation);

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) =>
        below.WriteAsync(offset, source, cancellation);

    public override ValueTask WriteDurablyAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) => WritesDurably
        ? below.WriteDurablyAsync(offset, source, cancellation)
        : below.WriteAsync(offset, source, cancellation);

    protected override ValueTask WriteBackAsync() => Flushes ? below.FlushAsync() : default;

    protected override void Dispose(bool disposing)
    {
        below.Dispose();
        base.Dispose(disposing);
    }
}
