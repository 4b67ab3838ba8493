using System.Diagnostics.Metrics;
using System.Reflection;

namespace VfioUser;

/// <summary>The instruments of servers; names, units and descriptions are part of the interface. Immutable; any thread.</summary>
/// <remarks>An instrument without listeners costs a check of <see cref="Instrument.Enabled"/>.</remarks>
internal sealed class ServerInstruments
{
    private static readonly double[] Seconds =
    [
        1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1,
    ];

    private ServerInstruments(Meter meter)
    {
        Sessions = meter.CreateCounter<long>("vfio_user.sessions", "{session}", "Clients that have attached.");
        ActiveSessions = meter.CreateUpDownCounter<long>("vfio_user.sessions.active", "{session}", "Clients attached now.");
        Commands = meter.CreateCounter<long>("vfio_user.commands", "{command}", "Commands that were handled or refused.");
        CommandDuration = meter.CreateHistogram("vfio_user.command.duration", "s", "Time from starting a command until its reply is written.",
            tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        Io = meter.CreateCounter<long>("vfio_user.io", "By", "Bytes of messages, on all sockets of a server.");
        DmaOperations = meter.CreateCounter<long>("vfio_user.dma.operations", "{operation}", "Successful accesses of the device to guest memory.");
        DmaBytes = meter.CreateCounter<long>("vfio_user.dma.bytes", "By", "Bytes of guest memory that those accesses read or wrote.");
        DmaLeases = meter.CreateCounter<long>("vfio_user.dma.leases", "{lease}", "Leases and pins of guest memory taken by the device.");
        Irqs = meter.CreateCounter<long>("vfio_user.irqs", "{interrupt}", "Interrupts delivered to the client.");
        Errors = meter.CreateCounter<long>("vfio_user.errors", "{error}", "Refused clients, broken sessions, and failures of the server.");
        DeviceExceptions = meter.CreateCounter<long>("vfio_user.device.exceptions", "{exception}", "Exceptions of the device's code.");
    }

    /// <summary>Shared by the whole process, for servers without <see cref="VfioUserServerOptions.MeterFactory"/>.</summary>
    public static ServerInstruments Shared { get; } = new(new Meter(OptionsOfMeter()));

    public Counter<long> Sessions { get; }

    public UpDownCounter<long> ActiveSessions { get; }

    public Counter<long> Commands { get; }

    public Histogram<double> CommandDuration { get; }

    public Counter<long> Io { get; }

    public Counter<long> DmaOperations { get; }

    public Counter<long> DmaBytes { get; }

    public Counter<long> DmaLeases { get; }

    public Counter<long> Irqs { get; }

    public Counter<long> Errors { get; }

    public Counter<long> DeviceExceptions { get; }

    /// <summary>The instruments of a factory, which owns the meter; shared ones if it is null.</summary>
    public static ServerInstruments Of(IMeterFactory? factory) => factory is null ? Shared : new(factory.Create(OptionsOfMeter()));

    private static MeterOptions OptionsOfMeter() => new(VfioUserServer.MeterName)
    {
        // without the commit hash that the build may append
        Version = typeof(ServerInstruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0],
    };
}
