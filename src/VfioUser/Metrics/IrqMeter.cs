using System.Diagnostics.Metrics;

namespace VfioUser;

/// <summary>Counts interrupts of one type. Immutable; any thread.</summary>
internal sealed class IrqMeter(ServerInstruments instruments, KeyValuePair<string, object?> device, PciIrq type)
{
    private readonly Counter<long> _irqs = instruments.Irqs;
    private readonly KeyValuePair<string, object?>[] _tags = [device, MetricTags.Of(MetricTags.IrqType, MetricTags.NameOf(type))];

    public void Sent()
    {
        if (_irqs.Enabled)
            _irqs.Add(1, _tags);
    }
}
