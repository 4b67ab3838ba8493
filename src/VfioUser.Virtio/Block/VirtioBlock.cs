using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Virtio;

/// <summary>A block device: a disk that every guest has a driver for.</summary>
/// <remarks>
/// <para>All requests of the driver are with the disk at the same time, in no order. A disk in memory or in a file reads into the guest's
/// memory and writes from it; for others there is a buffer in between. A reset by the driver, and a migration, wait for the disk.</para>
/// <para>Migration does not carry the contents of the disk: source and destination have the same one, by its
/// <see cref="Disk.Identity"/>.</para>
/// <para>VIRTIO 1.3 5.2 "Block Device".</para>
/// </remarks>
public sealed class VirtioBlock : VirtioDevice
{
    private readonly Disk _disk;
    private readonly BlockLimits _limits;
    private readonly BlockCommands _commands;
    private readonly BlockRequests[] _requests; // of each queue
    private readonly DiskThreads _threads;
    private readonly VirtioConfig<BlockConfig> _config;
    private readonly Lock _configLock = new();
    private int _hasLostWrites;
    private long _failures;

    /// <summary>Creates a device.</summary>
    /// <param name="disk">The bytes. The caller owns it, and disposes it after the device.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks, or an option is out of range.</exception>
    public VirtioBlock(Disk disk, VirtioBlockOptions? options = null)
        : this(disk ?? throw new ArgumentNullException(nameof(disk)), options ??= new VirtioBlockOptions(), new BlockLimits(disk, options))
    {
    }

    private VirtioBlock(Disk disk, VirtioBlockOptions options, BlockLimits limits)
        : base(VirtioDeviceType.Block, options.Queues, (ulong)limits.Features | (options.OffersPackedRings ? (ulong)VirtioFeatures.RingPacked : 0))
    {
        (_disk, _limits) = (disk, limits);
        _commands = new BlockCommands(disk, limits, DiskFailed) { Sectors = limits.SectorsOf(disk.Size) };
        _requests = [.. Enumerable.Range(0, options.Queues).Select(_ => new BlockRequests(Dma, Ended, request => _threads!.Post(request)))];
        _config = AddConfig(limits.ConfigOf(_commands.Sectors));
        for (int i = 0; i < options.Queues; i++)
            AddQueue($"requests {i}", options.QueueSize, Serve, ownThread: true, servesNotifications: !disk.MayBlock);
        _threads = new DiskThreads(this, options.DiskThreads, Run);
        EnableMigration(Save, Restore);
        disk.SizeChanged += DiskChanged;
    }

    /// <summary>The disk.</summary>
    public Disk Disk => _disk;

    /// <inheritdoc/>
    protected override void OnDriverReady()
    {
        UpdateWriteCache();
        Activate();
    }

    /// <inheritdoc/>
    protected override void OnDriverGone() => SetWriteback(_limits.HasVolatileCache ? (byte)1 : (byte)0);

    /// <inheritdoc/>
    protected override void OnConfigWritten(int offset, ReadOnlySpan<byte> source)
    {
        if (offset != BlockConfig.WritebackOffset || source.Length != 1 || source[0] > 1 || !Has(BlockFeatures.ConfigWriteCache))
            return;
        SetWriteback(source[0]);
        UpdateWriteCache();
    }

    /// <inheritdoc/>
    protected override void OnQueueStopping(VirtioQueue queue) => Cancel(RequestsOf(queue));

    internal override void MemoryIsBack()
    {
        base.MemoryIsBack();
        foreach (BlockRequests requests in _requests)
            requests.MemoryIsBack();
    }

    /// <inheritdoc/>
    protected override async ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        if (reason is QuiesceReason.Reset or QuiesceReason.ClientGone)
            Array.ForEach(_requests, Cancel);
        bool isQuiesced = await base.OnQuiesceAsync(reason, cancellation).ConfigureAwait(false);
        // another host may be the next to read the disk
        if (isQuiesced && reason == QuiesceReason.Migration && _disk.IsActive && !_limits.IsReadOnly)
            await _disk.FlushAsync().ConfigureAwait(false);
        return isQuiesced;
    }

    /// <inheritdoc/>
    protected override void OnStarted()
    {
        base.OnStarted();
        if ((Status & VirtioStatus.DriverOk) != 0)
            Activate();
    }

    /// <inheritdoc/>
    protected override void OnRestored()
    {
        base.OnRestored();
        UpdateWriteCache();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _disk.SizeChanged -= DiskChanged;
        base.Dispose(disposing);
    }

    // Worker of the queue; or the Command thread, of a disk that does not block.
    private void Serve(VirtioChain chain)
    {
        BlockRequest request = RequestsOf(chain.Queue).Begin(chain);
        if (!request.TryReadHeader())
            Ended(request, BlockStatus.IoError);
        else if (_commands.Blocks(request))
            _threads.Post(request);
        else
            Run(request);
    }

    // Throws nothing.
    private void Run(BlockRequest request)
    {
        if (!request.TryReadHeader())
        {
            Ended(request, BlockStatus.IoError);
            return;
        }
        ValueTask<BlockStatus> running = _commands.Execute(request);
        if (running.IsCompleted)
            Ended(request, running.GetAwaiter().GetResult());
        else
            request.CompleteLater(running);
    }

    // Any thread.
    private void Ended(BlockRequest request, BlockStatus status)
    {
        if (request.MissesMemory && request.Requests.TryWait(request))
            return;
        request.Tell(status);
        if (!request.MissesMemory || !request.Requests.TryWait(request))
            Complete(request);
    }

    private static void Complete(BlockRequest request)
    {
        request.Complete();
        request.Requests.Return(request);
    }

    private BlockRequests RequestsOf(VirtioQueue queue) => _requests[queue.Index];

    private void Cancel(BlockRequests requests)
    {
        foreach (BlockRequest request in requests.Cancel())
            Complete(request);
    }

    private void DiskFailed(Exception exception)
    {
        switch (exception)
        {
            case FlushFailedException:
                if (Interlocked.Exchange(ref _hasLostWrites, 1) == 0)
                    Log.FlushFailed(Logger, _disk.Identity, exception.Message);
                break;
            case OperationCanceledException:
                break; // the driver has reset the device, or is gone
            default:
                long count = Interlocked.Increment(ref _failures);
                if (!BitOperations.IsPow2(count))
                    break; // a disk that is broken fails many
                if (exception is IOException or UnauthorizedAccessException or NotSupportedException)
                    Log.DiskFailed(Logger, _disk.Identity, count, exception.Message);
                else
                    Log.DiskThrew(Logger, _disk.Identity, count, exception);
                break;
        }
    }

    private void DiskChanged(object? disk, EventArgs args)
    {
        lock (_configLock)
        {
            long sectors = _limits.SectorsOf(_disk.Size);
            if (sectors == _commands.Sectors)
                return;
            _commands.Sectors = sectors;
            _config.Value = _config.Value with { Capacity = (ulong)sectors };
        }
    }

    private bool Has(BlockFeatures feature) => (Features & (ulong)feature) != 0;

    // VIRTIO 1.3 5.2.5.2: without the register, a driver that flushes is one that knows of a cache
    private void UpdateWriteCache() =>
        _commands.WritesThrough = Has(BlockFeatures.ConfigWriteCache) ? _config.Value.Writeback == 0 : !Has(BlockFeatures.Flush);

    private void SetWriteback(byte value)
    {
        lock (_configLock)
            _config.SetUnnoticed(_config.Value with { Writeback = value });
    }

    private void Activate()
    {
        if (_disk.IsActive)
            return;
        try
        {
            _disk.Activate();
        }
        catch (IOException e)
        {
            // each access of a disk that is another's fails
            Log.DiskInUse(Logger, _disk.Identity, e.Message);
        }
    }

    private UInt128 Identity => System.Runtime.InteropServices.MemoryMarshal.Read<UInt128>(SHA256.HashData(Encoding.UTF8.GetBytes(_disk.Identity)));

    private BlockState Save()
    {
        BlockState state = new(_commands.Sectors, Identity, _limits.BlockSize, _config.Value.Writeback);
        // from here on it may be another host's
        _disk.Inactivate();
        return state;
    }

    private void Restore(BlockState state)
    {
        // what is in memory, or not on storage that both hosts share, stays behind
        if (state.Sectors != _commands.Sectors || state.Identity != Identity || state.BlockSize != _limits.BlockSize || state.Writeback is not (0 or 1))
            throw new InvalidDataException("The block device has another disk, or other blocks.");
        try
        {
            _disk.Activate(); // what is cached of it is from before the source wrote to it
        }
        catch (IOException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
        SetWriteback((byte)state.Writeback);
    }
}
