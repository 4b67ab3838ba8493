using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace VfioUser.Virtio;

/// <summary>A virtio device: a guest drives it with the driver that it has for its type. Derive from it, and add queues and a configuration
/// structure in the constructor.</summary>
/// <remarks>
/// <para>A modern device over PCI, with the MSI-X vectors that a driver expects, and INTx; rings in the split or packed layout. Handlers of
/// queues run on workers of the device: see <see cref="VirtioQueue"/>.</para>
/// <para>A driver that breaks a queue has that queue stopped, and the device asks to be reset: nothing else.</para>
/// <para>VIRTIO 1.3 2, 4.1 "Virtio Over PCI Bus".</para>
/// </remarks>
public abstract partial class VirtioDevice : PciDevice
{
    private const ushort Vendor = 0x1AF4;
    private const ushort FirstDevice = 0x1040;
    private const byte QueueCause = 1;
    private const byte ConfigCause = 2;

    private const VirtioFeatures Always = VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform | VirtioFeatures.OrderPlatform
        | VirtioFeatures.IndirectDescriptors | VirtioFeatures.EventIndex | VirtioFeatures.RingReset;

    // a driver may do without them
    private const VirtioFeatures Required = VirtioFeatures.Version1;

    private readonly List<VirtioQueue> _queues = [];
    private readonly int _queueCount;
    private readonly CommonConfig _common;
    private readonly Register<byte> _isr;
    private readonly DeviceInterrupts _interrupts;
    private readonly Lock _configLock = new();
    private QueueWorker? _sharedWorker;
    private byte[] _config = [];
    private int _configGeneration;
    private TaskCompletionSource? _idle;
    private RingState[]? _restored;

    /// <summary>Creates a device without queues.</summary>
    /// <param name="type">What the driver takes it for.</param>
    /// <param name="queues">How many queues it has: 1 to 1024. Each has an MSI-X vector, and there is one more.</param>
    /// <param name="features">Bits of the type that it offers, and <see cref="VirtioFeatures.RingPacked"/> if it offers that layout too.</param>
    /// <param name="deviceClass">The PCI class; null for one that goes with the type.</param>
    protected VirtioDevice(VirtioDeviceType type, int queues, ulong features = 0, PciClass? deviceClass = null)
        : base(Identify(type), deviceClass ?? ClassOf(type))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(queues, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(queues, BarLayout.MaxQueues);
        Type = type;
        _queueCount = queues;
        OfferedFeatures = (VirtioFeatures)features | Always;
        Bar bar = AddBar(BarLayout.Bar, BarKind.Memory64Prefetchable, BarLayout.Length, ReadBar, WriteBar);
        _common = new CommonConfig(this, bar.AddBlock(BarLayout.Common, "common"), queues, vectors: queues + 1);
        _isr = bar.AddRegister<byte>(BarLayout.Isr, new() { Name = "isr", Access = RegisterAccess.ReadOnly, OnRead = IsrRead });
        _interrupts = AddInterrupts(new()
        {
            Vectors = queues + 1,
            MsiXBar = bar,
            MsiXOffset = BarLayout.MsiXTable,
            MsiX = new() { PendingOffset = BarLayout.PendingBits },
            Msi = false,
            HasCause = () => _isr!.Value != 0,
        });
        VirtioCapabilities.Add(Config, bar);
    }

    /// <summary>What the driver takes it for.</summary>
    public VirtioDeviceType Type { get; }

    /// <summary>How far the driver has come. Any thread.</summary>
    public VirtioStatus Status => _common.Status;

    /// <summary>What driver and device have agreed on; 0 before. Bits of the type as its specification numbers them. Any thread.</summary>
    public ulong Features => (ulong)_common.Features;

    /// <summary>What the device offers.</summary>
    internal VirtioFeatures OfferedFeatures { get; }

    internal byte ConfigGeneration => (byte)Volatile.Read(ref _configGeneration);

    internal IReadOnlyList<VirtioQueue> Queues => _queues;

    /// <summary>Adds the next queue, whose buffers are requests of the driver.</summary>
    /// <param name="name">Used in logs.</param>
    /// <param name="maxSize">Most entries: a power of two, up to 32768.</param>
    /// <param name="serve">Called for each buffer, in order; it completes the chain, at once or later from any thread. An exception is
    /// reported as the device's; the queue is not served any more, and the device asks its driver for a reset.</param>
    /// <param name="ownThread">Whether it has a thread of its own; the others share one.</param>
    /// <exception cref="InvalidOperationException">All queues were added, or the device is being served.</exception>
    /// <remarks>Setup. Queues are numbered in the order in which they are added.</remarks>
    public VirtioQueue AddQueue(string name, int maxSize, Action<VirtioChain> serve, bool ownThread = false)
    {
        ArgumentNullException.ThrowIfNull(serve);
        return Add(name, maxSize, serve, poll: null, ownThread);
    }

    /// <summary>Adds the next queue, whose buffers the device takes when it needs them: for what it sends unasked.</summary>
    /// <param name="name">Used in logs.</param>
    /// <param name="maxSize">Most entries: a power of two, up to 32768.</param>
    /// <param name="poll">Called after <see cref="VirtioQueue.Wake"/>, and when the driver has made buffers available after there were none;
    /// takes what it needs by <see cref="VirtioQueue.TryTake"/>, and says whether it has done anything.</param>
    /// <param name="ownThread">Whether it has a thread of its own; the others share one.</param>
    /// <inheritdoc cref="AddQueue(string, int, Action{VirtioChain}, bool)" path="/*[not(self::param)]"/>
    public VirtioQueue AddQueue(string name, int maxSize, Func<VirtioQueue, bool> poll, bool ownThread = false)
    {
        ArgumentNullException.ThrowIfNull(poll);
        return Add(name, maxSize, serve: null, poll, ownThread);
    }

    /// <summary>The same, with another limit for one pass of the handler.</summary>
    internal VirtioQueue AddQueue(string name, int maxSize, Func<VirtioQueue, bool> poll, bool ownThread, int maxChainsPerPass) =>
        Add(name, maxSize, serve: null, poll, ownThread, maxChainsPerPass);

    /// <summary>Gives the device a configuration structure.</summary>
    /// <typeparam name="T">The structure, at most 4096 bytes.</typeparam>
    /// <param name="initial">What the driver reads first.</param>
    /// <remarks>Setup. Without it the structure reads as zeros.</remarks>
    public VirtioConfig<T> AddConfig<T>(T initial)
        where T : unmanaged
    {
        SetConfig(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in initial)));
        return new VirtioConfig<T>(this, initial);
    }

    /// <summary>Says whether the device can work with what the driver has accepted.</summary>
    /// <param name="features">Bits that the device offers, Version1 among them.</param>
    /// <remarks>Command thread. VIRTIO 1.3 2.2 "Feature Bits".</remarks>
    protected virtual bool AcceptFeatures(ulong features) => true;

    /// <summary>Called when the driver is set up: queues are served from now on.</summary>
    /// <remarks>Command thread.</remarks>
    protected virtual void OnDriverReady()
    {
    }

    /// <summary>Called when the driver has reset the device: no queue is in use.</summary>
    /// <remarks>Command thread. Also after a reset of the function.</remarks>
    protected virtual void OnDriverGone()
    {
    }

    /// <summary>Called when the driver resets a queue, or the device with all of its queues: nothing more is taken from the queue, and the
    /// driver waits for the buffers that are not completed. Complete them soon: cancel what they wait for.</summary>
    /// <param name="queue">The queue.</param>
    /// <remarks>Command thread.</remarks>
    protected virtual void OnQueueStopping(VirtioQueue queue)
    {
    }

    /// <summary>Called when the driver writes to the configuration structure. By default nothing changes.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="source">What was written.</param>
    /// <remarks>Command thread.</remarks>
    protected virtual void OnConfigWritten(int offset, ReadOnlySpan<byte> source)
    {
    }

    /// <inheritdoc/>
    protected override void OnReset(ResetReason reason)
    {
        ClearQueues();
        _common.OnReset();
        OnDriverGone();
    }

    /// <inheritdoc/>
    /// <remarks>Waits for chains that are not completed, where the driver must find them done.</remarks>
    protected override async ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        if (reason is not (QuiesceReason.Reset or QuiesceReason.Migration) || IsIdle)
            return true;
        TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _idle, idle);
        // whoever leaves looks for it after it has left
        Interlocked.MemoryBarrier();
        LeftQueue();
        try
        {
            await idle.Task.WaitAsync(cancellation).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        finally
        {
            Volatile.Write(ref _idle, null);
        }
    }

    /// <inheritdoc/>
    protected override void OnDmaMapped(DmaRegion region) => MemoryIsBack();

    /// <inheritdoc/>
    protected override void OnBusMasterEnabled()
    {
        MemoryIsBack();
        // a message that was sent just before is lost where the client disables bus mastering first and tells the device then, as QEMU does
        foreach (VirtioQueue queue in _queues.Where(static queue => queue.IsRunning))
            InterruptQueue(queue.Index);
        InterruptConfig();
    }

    /// <summary>Command thread: more memory can be reached than before.</summary>
    internal virtual void MemoryIsBack()
    {
        // a worker that has missed some looks again after it has said so
        Interlocked.MemoryBarrier();
        foreach (VirtioQueue queue in _queues)
            queue.MemoryIsBack();
    }

    /// <inheritdoc/>
    protected override void OnStopped()
    {
        foreach (VirtioQueue queue in _queues)
            queue.Flush();
    }

    /// <inheritdoc/>
    protected override void OnRestored()
    {
        ClearQueues();
        _common.OnRestored(queue => _restored?[queue.Index] ?? RingState.Fresh);
        _restored = null;
        _interrupts.Update();
    }

    internal bool Accepts(VirtioFeatures features) =>
        (features & ~OfferedFeatures) == 0 && (features & Required) == Required && AcceptFeatures((ulong)features);

    internal void DriverReady() => OnDriverReady();

    /// <summary>Command thread: the driver resets a queue.</summary>
    internal void StopQueue(VirtioQueue queue)
    {
        queue.Stop();
        OnQueueStopping(queue);
    }

    internal void DriverGone()
    {
        _interrupts.Update();
        OnDriverGone();
    }

    /// <summary>Command thread, when no queue is in use.</summary>
    internal void ClearQueues()
    {
        foreach (VirtioQueue queue in _queues)
        {
            queue.Stop();
            queue.Clear();
        }
        _isr.Value = 0;
    }

    internal void InterruptQueue(int queue) => Interrupt(_common.QueueVector(queue), QueueCause);

    internal void InterruptConfig()
    {
        if ((Status & VirtioStatus.DriverOk) != 0)
            Interrupt(_common.ConfigVector, ConfigCause);
    }

    internal void SetConfig(ReadOnlySpan<byte> config)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(config.Length, BarLayout.DeviceConfigLength, nameof(config));
        byte[] copy = config.ToArray();
        lock (_configLock)
        {
            Volatile.Write(ref _config, copy);
            Interlocked.Increment(ref _configGeneration);
        }
    }

    /// <summary>Any thread: somebody has left a queue.</summary>
    internal void LeftQueue()
    {
        if (Volatile.Read(ref _idle) is { } idle && IsIdle)
            idle.TrySetResult();
    }

    /// <summary>Worker: the driver has broken a queue.</summary>
    internal void RingFailed(VirtioQueue queue, string fault)
    {
        Log.RingFailed(Logger, queue.Name, fault);
        NeedReset();
    }

    /// <summary>Worker: a queue waits for memory that was mapped.</summary>
    internal void RingPaused(VirtioQueue queue, string reason) => Log.RingPaused(Logger, queue.Name, reason);

    /// <summary>Worker: the device's own code has thrown.</summary>
    internal void HandlerFailed(VirtioQueue queue, Exception exception)
    {
        Log.HandlerFailed(Logger, queue.Name);
        NeedReset();
        // where exceptions of a device go
        Post(() => ExceptionDispatchInfo.Throw(exception));
    }

    /// <summary>Command thread or worker: the driver does not keep to the specification. Only the first time is logged, until the reset
    /// that the device asks for.</summary>
    internal void DriverFailed(string reason)
    {
        if ((Status & VirtioStatus.NeedsReset) != 0)
            return;
        Log.DriverFailed(Logger, reason);
        NeedReset();
    }

    private bool IsIdle => _queues.TrueForAll(static queue => queue.IsIdle);

    private void NeedReset()
    {
        if (_common.SetNeedsReset())
            InterruptConfig();
    }

    private static PciId Identify(VirtioDeviceType type) =>
        new(Vendor, (ushort)(FirstDevice + (int)type), Vendor, (ushort)(FirstDevice + (int)type), Revision: 1);

    private static PciClass ClassOf(VirtioDeviceType type) => type switch
    {
        VirtioDeviceType.Network => PciClass.NetworkEthernet,
        VirtioDeviceType.Block => PciClass.MassStorageOther,
        VirtioDeviceType.Scsi => PciClass.MassStorageScsi,
        VirtioDeviceType.Console => PciClass.CommunicationOther,
        VirtioDeviceType.Gpu => PciClass.DisplayOther,
        VirtioDeviceType.Input => PciClass.InputOther,
        VirtioDeviceType.Sound => PciClass.MultimediaOther,
        _ => PciClass.Other,
    };

    /// <summary>The same, whose handler may run on the Command thread.</summary>
    /// <param name="name">Used in logs.</param>
    /// <param name="maxSize">Most entries: a power of two, up to 32768.</param>
    /// <param name="serve">Called for each buffer.</param>
    /// <param name="ownThread">Whether it has a thread of its own.</param>
    /// <param name="servesNotifications">See <see cref="VirtioQueue.ServesNotifications"/>.</param>
    internal VirtioQueue AddQueue(string name, int maxSize, Action<VirtioChain> serve, bool ownThread, bool servesNotifications) =>
        Add(name, maxSize, serve, poll: null, ownThread, servesNotifications: servesNotifications);

    private VirtioQueue Add(string name, int maxSize, Action<VirtioChain>? serve, Func<VirtioQueue, bool>? poll, bool ownThread,
        int maxChainsPerPass = VirtioQueue.UsualChainsPerPass, bool servesNotifications = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxSize, 32768);
        if (!int.IsPow2(maxSize))
            throw new ArgumentException($"A queue of {maxSize} entries: take a power of two.", nameof(maxSize));
        if (_queues.Count == _queueCount)
            throw new InvalidOperationException($"The device was created with {_queueCount} queues, and has them.");
        QueueWorker worker = ownThread ? new QueueWorker(this, $"virtio {name}") : _sharedWorker ??= new QueueWorker(this, "virtio queues");
        VirtioQueue queue = new(this, worker, _queues.Count, name, maxSize, serve, poll)
        {
            MaxChainsPerPass = maxChainsPerPass,
            ServesNotifications = servesNotifications,
        };
        worker.Add(queue);
        _queues.Add(queue);
        _common.SetMaxSize(queue);
        AddState($"virtio.queue[{queue.Index}]", () => queue.State ?? RingState.Fresh, state => (_restored ??= new RingState[_queueCount])[queue.Index] = state);
        return queue;
    }

    private void Interrupt(int? vector, byte cause)
    {
        if (_interrupts.Type == IrqType.Intx)
        {
            _isr.SetBits(cause);
            _interrupts.Update();
        }
        else if (vector is { } number)
        {
            _interrupts.Trigger(number);
        }
    }

    // it is read as it was, and clears the interrupt
    private byte IsrRead(byte stored)
    {
        byte causes = _isr.Exchange(0);
        _interrupts.Update();
        return causes;
    }

    private void ReadBar(long offset, Span<byte> destination)
    {
        destination.Clear();
        ReadOnlySpan<byte> config = Volatile.Read(ref _config);
        long start = offset - BarLayout.DeviceConfig;
        if (start >= 0 && start < config.Length)
        {
            config = config[(int)start..];
            config[..Math.Min(config.Length, destination.Length)].CopyTo(destination);
        }
    }

    private void WriteBar(long offset, ReadOnlySpan<byte> source)
    {
        if (offset is >= BarLayout.Notify and < BarLayout.Notify + BarLayout.NotifyLength)
        {
            long queue = (offset - BarLayout.Notify) / BarLayout.NotifyStride;
            if (queue < _queues.Count)
                _queues[(int)queue].Notified();
        }
        else if (offset is >= BarLayout.DeviceConfig and < BarLayout.DeviceConfig + BarLayout.DeviceConfigLength)
        {
            OnConfigWritten((int)(offset - BarLayout.DeviceConfig), source);
        }
    }
}
