using System.Diagnostics.Metrics;

namespace VfioUser;

/// <summary>Counts delivered interrupts of one type. Immutable; any thread.</summary>
internal sealed class IrqMeter(Counter<long> irqs, KeyValuePair<string, object?>[] tags)
{
    public void Sent()
    {
        if (irqs.Enabled)
            irqs.Add(1, tags);
    }
}
