namespace VfioUser.Nvme.Tests.Guide;

/// <summary>The smallest disk: an array.</summary>
public sealed class RamDisk(byte[] bytes) : Disk
{
    public override long Size => bytes.Length;

    public override bool MayBlock => false;

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        bytes.AsMemory((int)offset, destination.Length).CopyTo(destination);
        return default;
    }

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        source.CopyTo(bytes.AsMemory((int)offset));
        return default;
    }
}
