using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>
/// A guest without a virtual machine: attached to a device over real sockets, with memory, interrupts and the accesses that
/// a driver makes.
/// </summary>
/// <remarks>
/// One thread, that of the test, unless a member says otherwise. Writes wait until the device has handled them, so that the
/// next line of a test can assert their effect. Dispose detaches the guest and stops the server; the device keeps its state
/// and may be attached again.
/// </remarks>
public sealed partial class TestGuest : IDisposable
{
    private readonly GuestLog _log;
    private readonly GuestInterrupts[] _interrupts;
    private readonly GuestRegion[] _bars;
    private readonly List<GuestRegion> _others = [];
    private readonly PciDevice? _device;
    private readonly string _path = "";
    private GuestRegisters? _registers;
    private IGuestSession _session;

    private TestGuest(PciDevice device, TestGuestOptions options)
        : this(device, "", options)
    {
    }

    private TestGuest(PciDevice? device, string path, TestGuestOptions options)
    {
        _device = device;
        _path = path;
        Options = options;
        _log = new GuestLog(options);
        Faults = new GuestFaults(this);
        if (device is not null)
            device.Dma.Holds ??= new DmaHolds();
        Memory = new GuestRam(options, Faults, new GuestLeaks(device, options));
        Migration = new GuestMigration(this);
        _interrupts = [];
        _bars = [.. Enumerable.Range(0, 6).Select(bar => new GuestRegion(this, (RegionIndex)bar))];
        Config = AddRegion(RegionIndex.Config);
        Rom = AddRegion(RegionIndex.Rom);
        Vga = AddRegion(RegionIndex.Vga);
        try
        {
            _session = NewSession();
        }
        catch
        {
            Memory.Dispose();
            throw;
        }
        try
        {
            Try(() => Memory.MapInto(Client));
            EnableBusMaster();
            uint irqs = Client.GetDeviceInfo().IrqCount;
            _interrupts = [.. Enum.GetValues<IrqType>().Select(type => new GuestInterrupts(this, type, (uint)type < irqs))];
            if (options.EnableInterrupts)
            {
                foreach (GuestInterrupts interrupts in _interrupts)
                    interrupts.Enable();
            }
        }
        catch
        {
            Leave();
            throw;
        }
    }

    /// <summary>The device under test.</summary>
    /// <exception cref="InvalidOperationException">The guest is connected to a server, which has the device.</exception>
    public PciDevice Device => _device ?? throw new InvalidOperationException($"The guest is connected to {_path}: the device is in the server there.");

    /// <summary>Null if it is in a server elsewhere.</summary>
    internal PciDevice? DeviceHere => _device;

    internal string DeviceName => _device?.GetType().Name ?? $"the device of {_path}";

    /// <summary>The options of this guest.</summary>
    public TestGuestOptions Options { get; }

    /// <summary>The client that the guest uses, for commands that a driver does not send. <see cref="Reconnect"/> replaces it.</summary>
    public VfioUserClient Client => _session.Client;

    /// <summary>The guest's memory.</summary>
    public GuestRam Memory { get; }

    /// <summary>Injects faults.</summary>
    public GuestFaults Faults { get; }

    /// <summary>Migration of the device step by step. For a whole migration see <see cref="MigrateTo(PciDevice, GuestMigrationOptions?)"/>.</summary>
    public GuestMigration Migration { get; }

    /// <summary>The server's log from <see cref="TestGuestOptions.LogLevel"/> on: the newest 1000 lines, oldest first. Any thread.</summary>
    public IReadOnlyList<string> Log => _log.Lines;

    /// <summary>The exceptions of the device's code since the guest attached, which are then seen: <see cref="Dispose"/> does not throw
    /// for them. Any thread.</summary>
    public IReadOnlyList<DeviceExceptionContext> AcceptDeviceExceptions() => _log.Accept();

    /// <summary>The configuration space.</summary>
    public GuestRegion Config { get; }

    /// <summary>The registers by their names.</summary>
    public GuestRegisters Registers => _registers ??= new GuestRegisters(this);

    /// <summary>The expansion ROM.</summary>
    public GuestRegion Rom { get; }

    /// <summary>The legacy VGA region.</summary>
    public GuestRegion Vga { get; }

    /// <summary>Base address register 0.</summary>
    public GuestRegion Bar0 => _bars[0];

    /// <summary>Base address register 1.</summary>
    public GuestRegion Bar1 => _bars[1];

    /// <summary>Base address register 2.</summary>
    public GuestRegion Bar2 => _bars[2];

    /// <summary>Base address register 3.</summary>
    public GuestRegion Bar3 => _bars[3];

    /// <summary>Base address register 4.</summary>
    public GuestRegion Bar4 => _bars[4];

    /// <summary>Base address register 5.</summary>
    public GuestRegion Bar5 => _bars[5];

    /// <summary>INTx.</summary>
    public GuestIntx Intx => (GuestIntx)Interrupts(IrqType.Intx)[0];

    /// <summary>The MSI vectors.</summary>
    public GuestInterrupts Msi => Interrupts(IrqType.Msi);

    /// <summary>The MSI-X vectors.</summary>
    public GuestInterrupts MsiX => Interrupts(IrqType.MsiX);

    /// <summary>Attaches a guest to a device.</summary>
    public static TestGuest Attach(PciDevice device, GuestMemoryKind memory = GuestMemoryKind.Mapped) =>
        Attach(device, new TestGuestOptions { Memory = memory });

    /// <summary>Attaches a guest with options to a device.</summary>
    [System.Runtime.CompilerServices.OverloadResolutionPriority(1)] // for new() { ... }
    public static TestGuest Attach(PciDevice device, TestGuestOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        return new TestGuest(device, options);
    }

    /// <summary>Connects a guest to a server, of this library or another, in this process or another.</summary>
    /// <param name="path">Of its socket; or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="memory">How the device accesses the guest's memory.</param>
    /// <remarks>Members that need the object of the device throw an <see cref="InvalidOperationException"/>: <see cref="Device"/>,
    /// <see cref="Registers"/>, <see cref="Advance"/>. The server's log, its exceptions and leaks are not seen.</remarks>
    public static TestGuest Connect(string path, GuestMemoryKind memory = GuestMemoryKind.Mapped) =>
        Connect(path, new TestGuestOptions { Memory = memory });

    /// <summary>Connects a guest with options to a server.</summary>
    /// <param name="path">Of its socket; or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="options"><see cref="TestGuestOptions.Server"/> and what else is about the server does not apply.</param>
    /// <exception cref="IOException">No server listens there.</exception>
    /// <exception cref="VfioUserException">The server refused, as one does that has another client.</exception>
    /// <inheritdoc cref="Connect(string, GuestMemoryKind)" path="/*[not(self::param)]"/>
    [System.Runtime.CompilerServices.OverloadResolutionPriority(1)] // for new() { ... }
    public static TestGuest Connect(string path, TestGuestOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(options);
        return new TestGuest(null, path, options);
    }

    /// <summary>The vectors of any type.</summary>
    public GuestInterrupts Interrupts(IrqType type) => _interrupts[(int)type];

    /// <summary>Any region by its index, such as a device-specific one.</summary>
    public GuestRegion Region(RegionIndex index) => (int)index < _bars.Length
        ? _bars[(int)index]
        : _others.FirstOrDefault(region => region.Index == index) ?? AddRegion(index);

    /// <summary>Enumerates the device as a machine does at boot: reads identity and capabilities, sizes the BARs and assigns
    /// addresses to them.</summary>
    /// <exception cref="TestGuestException">The configuration space contradicts itself or the regions.</exception>
    /// <remarks>PCI 3.0 6.1, 6.2.5.1, 6.7.</remarks>
    public PciFunction Enumerate() => PciFunction.Enumerate(this);

    /// <summary>The first steps of a driver: <see cref="Enumerate"/>, then enables memory and I/O space, bus mastering, and the
    /// best interrupts there are: MSI-X, MSI or INTx.</summary>
    /// <param name="irqs">The interrupts that the driver supports. None: it polls.</param>
    /// <exception cref="TestGuestException">The configuration space contradicts itself, or there is no such interrupt.</exception>
    public PciFunction StartDriver(PciIrqTypes irqs = PciIrqTypes.All)
    {
        PciFunction function = Enumerate();
        function.Enable();
        if (irqs == PciIrqTypes.None)
            function.FreeIrqVectors();
        else
            function.AllocateIrqVectors(types: irqs);
        return function;
    }

    /// <summary>Puts bytes into guest memory, on pages of their own.</summary>
    /// <returns>The IOVA of the first byte.</returns>
    public Iova Place(ReadOnlySpan<byte> bytes)
    {
        Iova address = Memory.Allocate((ulong)bytes.Length);
        Memory.Write(address, bytes);
        return address;
    }

    /// <summary>Lets time pass for the device: its timers are called in order, each at its time.</summary>
    /// <param name="time">How much.</param>
    /// <exception cref="InvalidOperationException">The guest has no clock of its own: see <see cref="TestGuestOptions.TimeProvider"/>.</exception>
    /// <exception cref="TestGuestException">A timer or a posted action does not return, or they go on without an end.</exception>
    /// <remarks>Returns when all that came due has run, with what was posted meanwhile. Timers of a device that migration has stopped
    /// do not run.</remarks>
    public void Advance(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        if (Options.TimeProvider is not { } clock)
            throw new InvalidOperationException($"The guest has no clock to advance. Give it one: {nameof(TestGuestOptions)}.{nameof(TestGuestOptions.TimeProvider)}.");
        CommandWork work = Device.CommandWork;
        long end = clock.GetTimestamp() + time.Ticks; // a fake clock counts in ticks
        while (true)
        {
            if (!work.AwaitIdle(Options.Timeout))
                throw new TestGuestException(WithLog($"Timers or posted actions of {Device.GetType().Name} still run after {Options.Timeout}."));
            long now = clock.GetTimestamp();
            if (now >= end)
                return;
            long next = work.NextDue;
            clock.Advance(TimeSpan.FromTicks((next > now && next < end ? next : end) - now));
        }
    }

    /// <summary>Resets the device, as a machine does at boot; then enables bus mastering, if
    /// <see cref="TestGuestOptions.EnableBusMaster"/> says so.</summary>
    public void Reset()
    {
        Try(Client.ResetDevice);
        EnableBusMaster();
    }

    private void EnableBusMaster()
    {
        if (!Options.EnableBusMaster)
            return;
        ushort command = Config.Read<ushort>(ConfigRegister.Command);
        if ((command & ConfigRegister.CommandBusMaster) == 0)
            Config.Write<ushort>(ConfigRegister.Command, (ushort)(command | ConfigRegister.CommandBusMaster));
    }

    /// <summary>Adds to a failure of the client what the device and the server know of it.</summary>
    internal void Try(Action action)
    {
        try
        {
            action();
        }
        catch (VfioUserException e)
        {
            throw Explain(e);
        }
    }

    /// <summary>A failure with the device's exception as the inner one, or with the server's reason and its last lines.</summary>
    /// <param name="failure">Of the client.</param>
    /// <param name="what">What the command did, for one that was not answered.</param>
    internal VfioUserException Explain(VfioUserException failure, string what = "") => _log.Explain(failure,
        $"no reply within {Options.Timeout.TotalSeconds} seconds{what}; code of {DeviceName} does not return, or the device does not quiesce");

    internal NamedPart? RegisterAt(RegionIndex region, long offset) => _device?.RegisterAt(region, offset);

    internal string WithLog(string message) => _log.WithLog(message);

    private GuestRegion AddRegion(RegionIndex index)
    {
        GuestRegion region = new(this, index);
        _others.Add(region);
        return region;
    }
}
