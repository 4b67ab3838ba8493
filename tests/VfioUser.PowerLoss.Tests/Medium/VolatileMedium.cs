namespace VfioUser.PowerLoss.Tests.Medium;

/// <summary>A drive with a write cache that loses power: of what was not flushed, each sector keeps one of its contents since the last
/// flush.</summary>
/// <remarks>
/// As bad as a drive may be: a flush makes durable what had been answered when it was sent, and nothing else; writes become durable in any
/// order, and a write of several sectors in part. Any thread.
/// </remarks>
internal sealed class VolatileMedium(int size, Random random)
{
    public const int SectorSize = 512;

    private const long NotAnswered = long.MaxValue;

    private readonly Lock _lock = new();
    private readonly byte[] _durable = new byte[size];
    private readonly Dictionary<int, List<Cached>> _cache = [];
    private long _answers;
    private int _untilCut = int.MaxValue;

    /// <summary>Where a write stands among the answers; <see cref="NotAnswered"/> until there is one.</summary>
    private sealed class Ticket
    {
        public long Answered { get; set; } = NotAnswered;
    }

    private readonly record struct Cached(Ticket Write, byte[] Data);

    public int Size => size;

    /// <summary>Whether a flush does what it should.</summary>
    public bool FlushIsHonest { get; init; } = true;

    /// <summary>How often the power was cut.</summary>
    public int Cuts { get; private set; }

    /// <summary>Sectors that have lost their last content in all cuts.</summary>
    public long LostSectors { get; private set; }

    /// <summary>How many writes, zeros and trims had been answered. A flush covers those that were when it was sent.</summary>
    public long Answers
    {
        get
        {
            lock (_lock)
                return _answers;
        }
    }

    /// <summary>Cuts the power at a request of the future.</summary>
    public void CutAfter(int requests)
    {
        lock (_lock)
            _untilCut = requests;
    }

    /// <summary>Carries out a request, unless the power is cut.</summary>
    /// <returns>Whether it may be answered: false if the power was cut before, while or after it was carried out.</returns>
    public bool TryDo(Action request)
    {
        lock (_lock)
        {
            if (--_untilCut > 0)
            {
                request();
                return true;
            }
            if (random.Next(2) == 0)
                request();
            Cut();
            return false;
        }
    }

    public void Read(long offset, Span<byte> destination)
    {
        for (int at = 0; at < destination.Length; at += SectorSize)
        {
            int sector = (int)(offset + at) / SectorSize;
            ReadOnlySpan<byte> data = _cache.TryGetValue(sector, out List<Cached>? contents) ? contents[^1].Data : DurableSector(sector);
            data.CopyTo(destination[at..]);
        }
    }

    /// <summary>Writes, zeroes or trims.</summary>
    /// <returns>To be called when it is answered, before the answer is sent.</returns>
    public Action Write(long offset, ReadOnlySpan<byte> source, bool durably)
    {
        Ticket ticket = new();
        for (int at = 0; at < source.Length; at += SectorSize)
        {
            int sector = (int)(offset + at) / SectorSize;
            byte[] data = source.Slice(at, SectorSize).ToArray();
            if (durably && FlushIsHonest)
            {
                _cache.Remove(sector);
                data.CopyTo(DurableSector(sector));
                continue;
            }
            if (!_cache.TryGetValue(sector, out List<Cached>? contents))
                _cache[sector] = contents = [];
            contents.Add(new Cached(ticket, data));
        }
        return () =>
        {
            lock (_lock)
                ticket.Answered = _answers++;
        };
    }

    /// <summary>Flushes what had been answered.</summary>
    /// <param name="answers"><see cref="Answers"/> when the flush was sent.</param>
    public void Flush(long answers)
    {
        if (!FlushIsHonest)
            return;
        foreach ((int sector, List<Cached> contents) in _cache.ToArray())
        {
            int last = contents.FindLastIndex(content => content.Write.Answered < answers);
            if (last < 0)
                continue;
            contents[last].Data.CopyTo(DurableSector(sector));
            contents.RemoveRange(0, last + 1);
            if (contents.Count == 0)
                _cache.Remove(sector);
        }
    }

    private void Cut()
    {
        foreach ((int sector, List<Cached> contents) in _cache)
        {
            int kept = random.Next(contents.Count + 1);
            if (kept > 0)
                contents[kept - 1].Data.CopyTo(DurableSector(sector));
            if (kept < contents.Count)
                LostSectors++;
        }
        _cache.Clear();
        _untilCut = int.MaxValue;
        Cuts++;
    }

    private Span<byte> DurableSector(int sector) => _durable.AsSpan(sector * SectorSize, SectorSize);
}
