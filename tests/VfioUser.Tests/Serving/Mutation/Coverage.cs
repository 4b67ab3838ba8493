using System.Diagnostics.Metrics;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Which commands were served and refused, in which state of migration: what the server measures.</summary>
/// <remarks>It hears of a command on the thread that handled it, so the device does not move meanwhile.</remarks>
internal sealed class Coverage : IMeterFactory
{
    private readonly Dictionary<string, PciDevice> _devices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Command> _commands = Enum.GetValues<Command>().ToDictionary(command => MetricTags.NameOf(command), StringComparer.Ordinal);
    private readonly Dictionary<PciDevice, MigrationState> _states = [];
    private readonly int[,,] _counts = new int[8, 20, 2];
    private readonly MeterListener _listener = new();
    private readonly List<Meter> _meters = [];

    public Coverage()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, this) && (instrument.Name is "vfio_user.commands" or "vfio_user.sessions"))
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) =>
        {
            lock (_counts)
                Count(instrument.Name, tags);
        });
        _listener.Start();
    }

    /// <summary>What servers with this name serve.</summary>
    public void Add(string name, PciDevice device)
    {
        _devices[name] = device;
        _states[device] = MigrationState.Running;
    }

    /// <summary>How many messages were handled in a state.</summary>
    public int In(MigrationState state, bool served) => Enumerable.Range(0, 20).Sum(command => _counts[(int)state, command, served ? 1 : 0]);

    public int Of(Command command, bool served) => Enumerable.Range(0, 8).Sum(state => _counts[state, (int)command, served ? 1 : 0]);

    public int Of(Command command, MigrationState state) => _counts[(int)state, (int)command, 0] + _counts[(int)state, (int)command, 1];

    public Meter Create(MeterOptions options)
    {
        Meter meter = new(options.Name, options.Version, options.Tags, scope: this);
        _meters.Add(meter);
        return meter;
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meters.ForEach(meter => meter.Dispose());
    }

    // device, command, error if there is one
    private void Count(string instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        PciDevice device = _devices[(string)tags[0].Value!];
        if (instrument is "vfio_user.sessions")
        {
            _states[device] = MigrationState.Running; // wherever the last client left it
            return;
        }
        int command = _commands.TryGetValue((string)tags[1].Value!, out Command known) ? (int)known : 0;
        // the state that it was handled in, not the one that it led to
        _counts[(int)_states[device], command, tags.Length == 2 ? 1 : 0]++;
        _states[device] = device.Migration!.State;
    }
}
