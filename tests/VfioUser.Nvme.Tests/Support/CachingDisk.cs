namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that several hosts reach, each through a cache of its own.</summary>
internal sealed class CachingDisk(MemoryDisk medium) : NvmeDisk
{
    private const int LineSize = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, byte[]> _lines = [];
    private readonly HashSet<long> _dirty = [];

    public override long Size => medium.Size;

    public override string Identity => medium.Identity;

    public override bool Blocks => true;

    public override bool HasVolatileCache => true;

    public override void Activate()
    {
        lock (_lock)
        {
            _lines.Clear();
            _dirty.Clear();
        }
    }

    public override void Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            for (int at = 0; at < destination.Length; at += LineSize)
                Line(offset + at).CopyTo(destination[at..]);
        }
    }

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        lock (_lock)
        {
            for (int at = 0; at < source.Length; at += LineSize)
            {
                source.Slice(at, LineSize).CopyTo(Line(offset + at));
                _dirty.Add(offset + at);
            }
        }
    }

    public override void WriteZeroes(long offset, long length, bool deallocate) => Write(offset, new byte[length]);

    public override void Deallocate(long offset, long length)
    {
        // it need not
    }

    protected override void WriteBack()
    {
        lock (_lock)
        {
            foreach (long offset in _dirty)
                medium.Write(offset, _lines[offset]);
            _dirty.Clear();
        }
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
