namespace VfioUser.Nvme;

/// <summary>An NVMe 1.4 controller.</summary>
/// <remarks>
/// BAR 0:
/// <code>
/// 0x0000   registers
/// 0x1000   doorbells, 4 bytes each
/// 0x2000   MSI-X table
/// 0x3000   MSI-X pending bits
/// </code>
/// The Command thread serves registers and doorbells, and a few short commands itself while the thread of their queue sleeps.
/// The controller's workers run all others. Without a client it is disabled. Migration
/// does not carry the contents of disks.
/// </remarks>
public sealed partial class NvmeController : PciDevice
{
    private const uint VectorTable = 0x2000;
    private const uint PendingBits = 0x3000;
    private const int LeastQueues = 2;

    private readonly ControllerParts _parts;
    private readonly Lifecycle _lifecycle;
    private readonly bool _isAlone;

    /// <param name="disks">A namespace each, from number 1 on. The caller owns them and disposes them after the controller.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">One cannot be a namespace, or they are more than there can be.</exception>
    public NvmeController(IReadOnlyList<Disk> disks, NvmeControllerOptions? options = null)
        : this(WithDefaults(disks), options)
    {
    }

    /// <summary>A controller, alone in its subsystem.</summary>
    /// <param name="namespaces">From number 1 on, unless they say; there may be none, and <see cref="AddNamespace"/> adds others. The caller
    /// owns their disks and disposes them after the controller.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A disk cannot be one of such blocks, or there are more than there can be, or two of a number.</exception>
    public NvmeController(IReadOnlyList<NvmeNamespace> namespaces, NvmeControllerOptions? options = null)
        : this(Alone(namespaces, options), options, isAlone: true)
    {
    }

    /// <summary>A controller of a subsystem, with its namespaces.</summary>
    /// <param name="subsystem">Is disposed after the controller.</param>
    /// <param name="options">Null for the defaults. Serial number, model number, block size and number of namespaces are the subsystem's.</param>
    /// <exception cref="ArgumentException">The subsystem has a controller of this id already.</exception>
    public NvmeController(NvmeSubsystem subsystem, NvmeControllerOptions? options = null)
        : this(StateOf(subsystem), options, isAlone: false)
    {
    }

    private NvmeController(Subsystem subsystem, NvmeControllerOptions? options, bool isAlone)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F2, SubsystemVendor: 0x1B36, Subsystem: 0x00F2), PciClass.MassStorageNvme)
    {
        options ??= new NvmeControllerOptions();
        options.Check();
        _isAlone = isAlone;
        Config.AddPowerManagement();
        Config.AddPciExpress();
        DoorbellWrites writes = new(() => _parts!);
        Bar bar = AddBar(0, BarKind.Memory64, size: 0x4000, writes);
        RundownGuard guest = new(isOpen: false);
        DoorbellRegisters doorbells = new(bar, QueuesOf(options) + 1, options.Doorbells == NvmeDoorbellKind.Mapped);
        if (!doorbells.IsMapped)
            writes.AddTo(bar, QueuesOf(options) + 1);
        AsyncEvents events = new();
        QueueSet queues = new(Dma, doorbells, QueuesOf(options), (_, _) => events.Raise(AsyncEvent.InvalidDoorbellValue),
            () => _parts!.WakeAll());
        Interrupts interrupts = new(hasCause => AddInterrupts(new()
        {
            Vectors = options.IoQueues + 1,
            MsiXBar = bar,
            MsiXOffset = VectorTable,
            MsiX = new() { PendingOffset = PendingBits },
            Msi = false,
            HasCause = hasCause,
        }), doorbells, guest, queues);
        // QEMU sends messages while it delivers INTx: a head in one of them deasserts it before the guest goes on
        doorbells.AddMessageHandler(interrupts.Update);
        NamespaceSet namespaces = new(subsystem.Options.Namespaces);
        _parts = new ControllerParts
        {
            Options = options,
            Id = Id,
            Dma = Dma,
            Guest = guest,
            Registers = new ControllerRegisters(bar, options, () => _lifecycle!.ConfigurationWritten(), () => interrupts),
            Doorbells = doorbells,
            Interrupts = interrupts,
            Queues = queues,
            Namespaces = namespaces,
            Subsystem = subsystem,
            Events = events,
            Time = () => TimeProvider,
            Logger = () => Logger,
        };
        _parts.KeepAlive.UseTimer(AddTimer(_parts.KeepAlive.Expired));
        _lifecycle = new Lifecycle(_parts);
        _parts.Workers = new QueueWorkers(this, _parts, _lifecycle.Advance);
        ControllerState state = new(_parts, _lifecycle);
        // version 2 has a timer
        EnableMigration(state.Save, state.Restore, ControllerState.MaxSize(subsystem.Options.Namespaces), new() { Version = 2 });
        events.Wake = _parts.Workers.WakeAdmin;
        namespaces.LostWrites = _parts.RaiseLostWrites;
        namespaces.Noticed = _parts.ReservationNoticed;
        _parts.ControllerId = subsystem.Join(options.ControllerId, namespaces, _parts.Time);
        namespaces.TakeChangedIds(); // there was no driver to see it
        namespaces.Changed = _parts.NamespacesChanged;
    }

    /// <summary>Counters of the controller. Any thread.</summary>
    public NvmeStatistics Statistics => _parts.Statistics;

    /// <summary>The current queues, the admin queue first. Any thread.</summary>
    public IReadOnlyList<NvmeQueueFigures> Queues => [.. _parts.Queues.Submissions.Select(queue => queue.Figures)];

    internal bool IsIntxAsserted => _parts.Interrupts.IsIntxAsserted;

    /// <inheritdoc/>
    protected override void OnDmaMapped(DmaRegion region)
    {
        _parts.MessageRegions += ComesByMessage(region) ? 1 : 0;
        _parts.MemoryMapped();
    }

    /// <inheritdoc/>
    protected override void OnDmaUnmapping(DmaRegion region) => _parts.MessageRegions -= ComesByMessage(region) ? 1 : 0;

    // QEMU maps its ROMs without a descriptor in every machine; no driver has its queues and buffers there. Mapped BARs of other
    // devices count, where it may have them.
    private static bool ComesByMessage(DmaRegion region) => region is { Backing: DmaBacking.Message, IsWritable: true };

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _parts.Subsystem.Leave(_parts.Namespaces);
        if (_isAlone)
            _parts.Subsystem.Close();
        base.Dispose(disposing);
    }

    // EDK2's driver makes two queues without asking how many there are
    private static int QueuesOf(NvmeControllerOptions options) => Math.Max(options.IoQueues, LeastQueues);

    private static Subsystem Alone(IReadOnlyList<NvmeNamespace> namespaces, NvmeControllerOptions? options)
    {
        ArgumentNullException.ThrowIfNull(namespaces);
        options ??= new NvmeControllerOptions();
        options.Check();
        return Subsystem.Of(namespaces, new NvmeSubsystemOptions
        {
            SerialNumber = options.SerialNumber,
            ModelNumber = options.ModelNumber,
            BlockSize = options.BlockSize,
            Namespaces = options.Namespaces,
        }, isShared: false);
    }

    private static Subsystem StateOf(NvmeSubsystem subsystem)
    {
        ArgumentNullException.ThrowIfNull(subsystem);
        return subsystem.State;
    }

    internal static NvmeNamespace[] WithDefaults(IReadOnlyList<Disk> disks)
    {
        ArgumentNullException.ThrowIfNull(disks);
        return [.. disks.Select(disk => new NvmeNamespace(disk))];
    }

    // before its memory goes: a queue whose memory is gone would be the guest's mistake
    /// <inheritdoc/>
    protected override ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        if (reason == QuiesceReason.Migration)
            return new ValueTask<bool>(Task.Run(PauseForMigration, CancellationToken.None));
        if (reason == QuiesceReason.ClientGone)
            _lifecycle.Reset();
        return new ValueTask<bool>(true);
    }

    // waits for disks, and for as long as it takes to flush them
    private bool PauseForMigration()
    {
        _lifecycle.Pause();
        return true;
    }

    /// <inheritdoc/>
    protected override void OnResume(QuiesceReason reason)
    {
        if (reason == QuiesceReason.Migration)
            _lifecycle.Resume();
    }

    /// <inheritdoc/>
    protected override void OnReset(ResetReason reason) => _lifecycle.Reset();

    /// <inheritdoc/>
    protected override void OnDetached() => _lifecycle.Reset();

    /// <inheritdoc/>
    protected override void OnStopped() => _lifecycle.Pause();

    /// <inheritdoc/>
    protected override void OnStarted() => _lifecycle.Resume();
}
