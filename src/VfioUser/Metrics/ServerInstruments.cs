using System.Diagnostics.Metrics;
using System.Reflection;

namespace VfioUser;

/// <summary>What can be measured of servers: names, units and descriptions, which are part of the interface. Immutable; any thread.</summary>
/// <remarks>An instrument that nobody listens to costs a look at <see cref="Instrument.Enabled"/>.</remarks>
internal sealed class ServerInstruments
{
    private static readonly double[] Seconds =
    [
        1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1,
    ];

    private ServerInstruments(Meter meter)
    {
        Sessions = meter.CreateCounter<long>("vfio_user.sessions", "{session}", "Clients that were attached.");
        ActiveSessions = meter.CreateUpDownCounter<long>("vfio_user.sessions.active", "{session}", "Clients that are attached now.");
        Commands = meter.CreateCounter<long>("vfio_user.commands", "{command}", "Commands of clients that were handled, or refused.");
        CommandDuration = meter.CreateHistogram("vfio_user.command.duration", "s", "Time from taking a command up until its reply is written.",
            tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        Io = meter.CreateCounter<long>("vfio_user.io", "By", "Bytes of messages, on all sockets of a server.");
        DmaOperations = meter.CreateCounter<long>("vfio_user.dma.operations", "{operation}", "Accesses of the device to guest memory that succeeded.");
        DmaBytes = meter.CreateCounter<long>("vfio_user.dma.bytes", "By", "Bytes of guest memory that those accesses read or wrote.");
        DmaLeases = meter.CreateCounter<long>("vfio_user.dma.leases", "{lease}", "Leases of guest memory that the device took.");
        Irqs = meter.CreateCounter<long>("vfio_user.irqs", "{interrupt}", "Interrupts that were sent to the client.");
        Errors = meter.CreateCounter<long>("vfio_user.errors", "{error}", "Clients turned away, sessions broken, and failures of the server.");
        DeviceExceptions = meter.CreateCounter<long>("vfio_user.device.exceptions", "{exception}", "Exceptions of the device's code.");
    }

    /// <summary>Those of the whole process, for servers whose host has no factory.</summary>
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

    /// <summary>Those of a host, which owns the meter.</summary>
    public static ServerInstruments Of(IMeterFactory? factory) => factory is null ? Shared : new(factory.Create(OptionsOfMeter()));

    private static MeterOptions OptionsOfMeter() => new(VfioUserServer.MeterName)
    {
        // without the commit that builds may append
        Version = typeof(ServerInstruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0],
    };
}
