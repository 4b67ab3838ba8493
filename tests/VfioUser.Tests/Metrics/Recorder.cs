using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace VfioUser.Tests.Metrics;

/// <summary>A host's meter factory, and the only one who listens to its meters.</summary>
internal sealed class Recorder : IMeterFactory
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentBag<Meter> _meters = [];
    private readonly ConcurrentQueue<Instrument> _instruments = new();
    private readonly ConcurrentQueue<Measured> _measured = new();

    /// <param name="listening">Which instruments are listened to from the start; null for all.</param>
    public Recorder(Predicate<string>? listening = null)
        : this(listening, scope: null)
    {
    }

    private Recorder(Predicate<string>? listening, object? scope)
    {
        scope ??= this;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (!VfioUserServer.MeterName.Equals(instrument.Meter.Name, StringComparison.Ordinal) || !scope.Equals(instrument.Meter.Scope ?? OfNobody))
                return;
            _instruments.Enqueue(instrument);
            if (listening?.Invoke(instrument.Name) != false)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _measured.Enqueue(new Measured(instrument.Name, value, [.. tags])));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _measured.Enqueue(new Measured(instrument.Name, value, [.. tags])));
        _listener.Start();
    }

    private static object OfNobody { get; } = new();

    /// <summary>Listens to the meter of all servers without a factory: those of other tests too.</summary>
    public static Recorder OfProcess() => new(null, OfNobody);

    /// <summary>Listens to all instruments from now on.</summary>
    public void Listen()
    {
        foreach (Instrument instrument in _instruments)
            _listener.EnableMeasurementEvents(instrument);
    }

    public IReadOnlyCollection<Instrument> Instruments => _instruments;

    public IReadOnlyCollection<Measured> Measured => _measured;

    public Meter Create(MeterOptions options)
    {
        Meter meter = new(options.Name, options.Version, options.Tags, scope: this);
        _meters.Add(meter);
        return meter;
    }

    /// <summary>All that was measured with an instrument and these tags, and others.</summary>
    public double Sum(string instrument, params (string Key, string Value)[] tags) => Of(instrument, tags).Sum(measured => measured.Value);

    /// <summary>How many times something was measured.</summary>
    public int Count(string instrument, params (string Key, string Value)[] tags) => Of(instrument, tags).Count();

    public void Dispose()
    {
        _listener.Dispose();
        foreach (Meter meter in _meters)
            meter.Dispose();
    }

    public IEnumerable<Measured> Of(string instrument) => _measured.Where(measured => instrument.Equals(measured.Instrument, StringComparison.Ordinal));

    private IEnumerable<Measured> Of(string instrument, (string Key, string Value)[] tags) =>
        Of(instrument).Where(measured => Array.TrueForAll(tags, tag => tag.Value.Equals(measured.Tag(tag.Key))));
}

internal sealed record Measured(string Instrument, double Value, KeyValuePair<string, object?>[] Tags)
{
    public object? Tag(string key) => Array.Find(Tags, tag => key.Equals(tag.Key, StringComparison.Ordinal)).Value;
}
