namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that several hosts reach, each through a cache of its own.</summary>
internal sealed class CachingDisk(MemoryDisk medium) : Disk
{
    private const int LineSize = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, byte[]> _lines = [];
    private readonly HashSet<long> _dirty = [];

    public override long Size => medium.Size;

    public override string Identity => medium.Identity;

    public override bool HasVolatileCache => true;

    public override void Activate()
    {
        lock (_lock)
        {
            _lines.Clear();
            _dirty.Clear();
        }
    }

    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        lock (_lock)
        {
            for (int at = 0; at < destination.Length; at += LineSize)
                Line(offset + at).CopyTo(destination[at..]);
        }
        return default;
    }

    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        lock (_lock)
        {
            for (int at = 0; at < source.Length; at += LineSize)
            {
                source.Slice(at, LineSize).CopyTo(Line(offset + at));
                _dirty.Add(offset + at);
            }
        }
        return default;
    }

    protected override ValueTask WriteBackAsync()
    {
        lock (_lock)
        {
            foreach (long offset in _dirty)
                medium.Write(offset, _lines[offset]);
            _dirty.Clear();
        }
        return default;
    }

    private byte[] Line(long offset)
    {
        if (!_lines.TryGetValue(offset, out byte[]? line))
        {
            _lines[offset] = line = new byte[LineSize];
            medium.Read(offset, line);
        }
        return line;
    }
}
