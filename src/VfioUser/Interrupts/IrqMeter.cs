using System.Diagnostics.Metrics;

namespace VfioUser;

/// <summary>Counts delivered interrupts of one type. Any thread.</summary>
/// <param name="irqs">The instrument.</param>
/// <param name="tags">Its tags.</param>
/// <param name="keepsTotal">Whether it keeps a total itself, for inspectors.</param>
internal sealed class IrqMeter(Counter<long> irqs, KeyValuePair<string, object?>[] tags, bool keepsTotal = false)
{
    private long _total;

    public long Total => Interlocked.Read(ref _total);

    public void Sent()
    {
        if (keepsTotal)
            Interlocked.Increment(ref _total);
        if (irqs.Enabled)
            irqs.Add(1, tags);
    }
}
