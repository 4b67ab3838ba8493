using System.Collections.Concurrent;

namespace VfioUser.Nvme.Tests.Guide;

/// <summary>A read-only image that a guest may write: what it writes goes to another disk, a cluster at a time.</summary>
public sealed class OverlayDisk(Disk image, Disk written) : Disk
{
    private const int Cluster = 64 << 10;

    private readonly ConcurrentDictionary<long, bool> _copied = new();
    private readonly SemaphoreSlim _copying = new(1);

    public override long Size => image.Size;

    public override bool HasVolatileCache => written.HasVolatileCache;

    public override DiskHints Hints { get; } = new() { PreferredWriteLength = Cluster };

    public override async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        while (!destination.IsEmpty)
        {
            int length = (int)Math.Min(destination.Length, Cluster - offset % Cluster);
            Disk disk = _copied.ContainsKey(offset / Cluster) ? written : image;
            await disk.ReadAsync(offset, destination[..length], cancellation);
            (offset, destination) = (offset + length, destination[length..]);
        }
    }

    public override async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        while (!source.IsEmpty)
        {
            int length = (int)Math.Min(source.Length, Cluster - offset % Cluster);
            await CopyAsync(offset / Cluster, cancellation);
            await written.WriteAsync(offset, source[..length], cancellation);
            (offset, source) = (offset + length, source[length..]);
        }
    }

    protected override ValueTask WriteBackAsync() => written.FlushAsync();

    // before a cluster is written for the first time
    private async ValueTask CopyAsync(long cluster, CancellationToken cancellation)
    {
        if (_copied.ContainsKey(cluster))
            return;
        await _copying.WaitAsync(cancellation);
        try
        {
            if (_copied.ContainsKey(cluster))
                return; // by another write meanwhile
            byte[] bytes = new byte[Math.Min(Cluster, Size - cluster * Cluster)];
            await image.ReadAsync(cluster * Cluster, bytes, cancellation);
            await written.WriteAsync(cluster * Cluster, bytes, cancellation);
            _copied[cluster] = true;
        }
        finally
        {
            _copying.Release();
        }
    }
}
