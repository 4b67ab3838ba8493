using System.Diagnostics;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The metrics of one server. Every measurement has a tag with the name of its device.</summary>
/// <remarks>Any thread, except where noted. Does not allocate, except for errors and exceptions.</remarks>
internal sealed class ServerMetrics
{
    private static readonly int Others = ProtocolCommands.NumberCount;

    private readonly ServerInstruments _instruments;
    private readonly KeyValuePair<string, object?> _device;
    private readonly KeyValuePair<string, object?>[][] _commands;
    private readonly KeyValuePair<string, object?>[] _received;
    private readonly KeyValuePair<string, object?>[] _sent;
    private readonly DmaMeter[] _dma;
    private readonly IrqMeter[] _irqs;
    private readonly ServerTotals? _totals;
    private bool _countedActive;

    /// <param name="instruments">The instruments.</param>
    /// <param name="device">Name of the device in tags.</param>
    /// <param name="keepsTotals">Whether it counts without a listener, too: see <see cref="Totals"/>.</param>
    public ServerMetrics(ServerInstruments instruments, string device, bool keepsTotals = false)
    {
        _instruments = instruments;
        _totals = keepsTotals ? new ServerTotals(Others + 1) : null;
        _device = MetricTags.Of(MetricTags.Device, device);
        _commands = [.. Enumerable.Range(0, Others + 1).Select(number => Tags(MetricTags.Command, MetricTags.NameOf((Command)number)))];
        _received = Tags(MetricTags.IoDirection, "receive");
        _sent = Tags(MetricTags.IoDirection, "transmit");
        _dma = [.. Enum.GetValues<DmaBacking>().Select(MeterOf)];
        _irqs = [.. Enum.GetValues<IrqType>().Select(type => new IrqMeter(instruments.Irqs, Tags(MetricTags.IrqType, MetricTags.NameOf(type)), keepsTotals))];
    }

    /// <summary>Whether commands are measured. Check it once for commands received together.</summary>
    public bool AreCommandsMetered => _totals is not null || _instruments.Commands.Enabled || _instruments.CommandDuration.Enabled;

    public bool AreMessagesMetered => _instruments.Io.Enabled;

    public DmaMeter Of(DmaBacking backing) => _dma[(int)backing];

    /// <summary>A session has started. Command thread.</summary>
    public void SessionBegan(PciDevice device)
    {
        for (uint type = 0; type < _irqs.Length; type++)
            device.IrqsAt(type)?.MeterWith(_irqs[type]);
        _totals?.SessionBegan();
        _instruments.Sessions.Add(1, _device);
        // a listener that starts during a session must not count only its end
        _countedActive = _instruments.ActiveSessions.Enabled;
        if (_countedActive)
            _instruments.ActiveSessions.Add(1, _device);
    }

    /// <summary>The session has ended. Command thread.</summary>
    public void SessionEnded()
    {
        if (_countedActive)
            _instruments.ActiveSessions.Add(-1, _device);
        _countedActive = false;
    }

    /// <summary>A command was handled, or refused.</summary>
    /// <param name="command">From the client; any number.</param>
    /// <param name="errno">Of the reply.</param>
    /// <param name="began">Timestamp of its start.</param>
    public void Handled(Command command, Errno errno, long began)
    {
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        double seconds = took.TotalSeconds;
        int number = Math.Min((int)command, Others);
        _totals?.Handled(number, errno, took);
        KeyValuePair<string, object?>[] tags = _commands[number];
        if (errno == Errno.None)
        {
            _instruments.Commands.Add(1, tags);
            _instruments.CommandDuration.Record(seconds, tags);
            return;
        }
        KeyValuePair<string, object?> error = MetricTags.Of(MetricTags.ErrorType, MetricTags.NameOf(errno));
        _instruments.Commands.Add(1, tags[0], tags[1], error);
        _instruments.CommandDuration.Record(seconds, tags[0], tags[1], error);
    }

    /// <summary>A message was sent or received.</summary>
    /// <param name="sent">Whether it was sent or received.</param>
    /// <param name="size">In bytes, header included.</param>
    public void Message(bool sent, uint size) => _instruments.Io.Add(size, sent ? _sent : _received);

    public void Failed(string error)
    {
        _totals?.Failed(error);
        _instruments.Errors.Add(1, _device, MetricTags.Of(MetricTags.ErrorType, error));
    }

    public void DeviceThrew(DeviceCallback callback, Exception exception)
    {
        _totals?.DeviceThrew(callback);
        if (_instruments.DeviceExceptions.Enabled)
        {
            _instruments.DeviceExceptions.Add(1, _device, MetricTags.Of(MetricTags.Callback, MetricTags.NameOf(callback)),
                MetricTags.Of(MetricTags.ErrorType, exception.GetType().FullName ?? MetricTags.Other));
        }
    }

    /// <summary>What has been counted since the server was made, with the names of instruments and tags; empty if it keeps no totals. Any
    /// thread.</summary>
    public IEnumerable<CountedTotal> Totals()
    {
        if (_totals is null)
            return [];
        return
        [
            .. _totals.All(),
            .. Enum.GetValues<DmaBacking>().SelectMany(backing => TotalsOf(_dma[(int)backing], MetricTags.NameOf(backing))),
            .. Enum.GetValues<IrqType>().Select(type => new CountedTotal("vfio_user.irqs", _irqs[(int)type].Total, (MetricTags.IrqType, MetricTags.NameOf(type))))
                .Where(total => total.Value > 0),
        ];
    }

    private static IEnumerable<CountedTotal> TotalsOf(DmaMeter meter, string backing)
    {
        (string, string) ofBacking = (MetricTags.DmaBacking, backing);
        foreach ((string direction, (long operations, long bytes)) in new[] { ("read", meter.Read), ("write", meter.Written) })
        {
            if (operations == 0)
                continue;
            yield return new CountedTotal("vfio_user.dma.operations", operations, ofBacking, (MetricTags.DmaDirection, direction));
            yield return new CountedTotal("vfio_user.dma.bytes", bytes, ofBacking, (MetricTags.DmaDirection, direction));
        }
        if (meter.Taken > 0)
            yield return new CountedTotal("vfio_user.dma.leases", meter.Taken, ofBacking);
    }

    private DmaMeter MeterOf(DmaBacking backing)
    {
        KeyValuePair<string, object?>[] tags = Tags(MetricTags.DmaBacking, MetricTags.NameOf(backing));
        return new DmaMeter
        {
            Operations = _instruments.DmaOperations,
            Bytes = _instruments.DmaBytes,
            Leases = _instruments.DmaLeases,
            ReadTags = [.. tags, MetricTags.Of(MetricTags.DmaDirection, "read")],
            WriteTags = [.. tags, MetricTags.Of(MetricTags.DmaDirection, "write")],
            LeaseTags = tags,
            KeepsTotals = _totals is not null,
        };
    }

    private KeyValuePair<string, object?>[] Tags(string key, string value) => [_device, MetricTags.Of(key, value)];
}
