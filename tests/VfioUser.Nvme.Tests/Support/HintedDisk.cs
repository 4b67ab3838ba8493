namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk of 1 MiB that says what it is told to.</summary>
internal sealed class HintedDisk(DiskHints hints) : Disk
{
    public override long Size => 1 << 20;

    public override DiskHints Hints => hints;

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default) => default;

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) => default;
}
