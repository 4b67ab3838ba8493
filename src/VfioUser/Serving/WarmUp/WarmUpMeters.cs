using System.Diagnostics.Metrics;

namespace VfioUser;

/// <summary>A meter that no one who listens to servers listens to.</summary>
internal sealed class WarmUpMeters : IMeterFactory
{
    private readonly List<Meter> _meters = [];

    public Meter Create(MeterOptions options)
    {
        Meter meter = new(options.Name + ".WarmUp");
        _meters.Add(meter);
        return meter;
    }

    public void Dispose() => _meters.ForEach(meter => meter.Dispose());
}
