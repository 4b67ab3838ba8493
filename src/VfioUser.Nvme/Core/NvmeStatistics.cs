namespace VfioUser.Nvme;

/// <summary>Counters, for the SMART log and the live view.</summary>
/// <remarks>Any thread.</remarks>
public sealed class NvmeStatistics
{
    private long _reads;
    private long _writes;
    private long _bytesRead;
    private long _bytesWritten;
    private long _mediaErrors;

    internal NvmeStatistics()
    {
    }

    /// <summary>Read and compare commands that succeeded.</summary>
    public long Reads => Volatile.Read(ref _reads);

    /// <summary>Write commands that succeeded.</summary>
    public long Writes => Volatile.Read(ref _writes);

    /// <summary>Bytes that guests read, compared or had verified.</summary>
    public long BytesRead => Volatile.Read(ref _bytesRead);

    /// <summary>Bytes that guests wrote.</summary>
    public long BytesWritten => Volatile.Read(ref _bytesWritten);

    /// <summary>Commands that failed because of a disk.</summary>
    public long MediaErrors => Volatile.Read(ref _mediaErrors);

    internal DateTimeOffset Since { get; } = DateTimeOffset.UtcNow;

    internal StatisticsState State
    {
        get => new(Reads, Writes, BytesRead, BytesWritten, MediaErrors);
        set => (_reads, _writes, _bytesRead, _bytesWritten, _mediaErrors) = (value.Reads, value.Writes, value.BytesRead, value.BytesWritten, value.MediaErrors);
    }

    internal void CountRead(long bytes)
    {
        Interlocked.Increment(ref _reads);
        Interlocked.Add(ref _bytesRead, bytes);
    }

    // Verify is no command of the host that reads, but its blocks were read. NVMe 1.4 figure 194
    internal void CountVerified(long bytes) => Interlocked.Add(ref _bytesRead, bytes);

    internal void CountWrite(long bytes)
    {
        Interlocked.Increment(ref _writes);
        Interlocked.Add(ref _bytesWritten, bytes);
    }

    internal void CountMediaError() => Interlocked.Increment(ref _mediaErrors);
}
