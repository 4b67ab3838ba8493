using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The last refusals of a server, of all its sessions.</summary>
/// <remarks>Any thread. Bounded, and formatted only for an inspector: a client can provoke as many refusals as it likes.</remarks>
internal sealed class RefusalHistory
{
    /// <summary>How many are kept.</summary>
    public const int Capacity = 64;

    private readonly Lock _gate = new();
    private readonly Entry[] _ring = new Entry[Capacity];
    private long _count;

    private readonly record struct Entry(long Number, long UtcTicks, Command Command, ushort? MessageId, uint? Size, Refusal Refusal);

    /// <summary>A command was refused.</summary>
    public void Add(Command command, ushort messageId, uint size, in Refusal refusal) => Keep(command, messageId, size, refusal);

    /// <summary>A client was refused before it had a session.</summary>
    public void Add(Command command, Errno errno, string problem) => Keep(command, null, null, Refusal.Because(errno, problem));

    /// <summary>The kept ones, the last one first.</summary>
    public RefusalFacts[] Facts()
    {
        Entry[] kept;
        lock (_gate)
        {
            kept = new Entry[Math.Min(_count, Capacity)];
            for (int i = 0; i < kept.Length; i++)
                kept[i] = _ring[(_count - 1 - i) % Capacity];
        }
        return [.. kept.Select(entry => new RefusalFacts(entry.Number, new DateTimeOffset(entry.UtcTicks, TimeSpan.Zero), MetricTags.NameOf(entry.Command),
            (int)entry.Command, entry.MessageId, entry.Size, MetricTags.NameOf(entry.Refusal.Errno), entry.Refusal.ToString()))];
    }

    private void Keep(Command command, ushort? messageId, uint? size, in Refusal refusal)
    {
        long now = DateTime.UtcNow.Ticks;
        lock (_gate)
        {
            _ring[_count % Capacity] = new Entry(_count + 1, now, command, messageId, size, refusal);
            _count++;
        }
    }
}
