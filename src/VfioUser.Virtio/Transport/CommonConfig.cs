namespace VfioUser.Virtio;

/// <summary>The registers by which the driver negotiates features, sets the queues up, and starts and resets the device.</summary>
/// <remarks>Command thread. VIRTIO 1.3 4.1.4.3 "Common configuration structure layout".</remarks>
internal sealed class CommonConfig
{
    /// <summary>An interrupt vector that is none.</summary>
    public const ushort NoVector = 0xFFFF;

    private const int FeatureWords = 2;

    private readonly VirtioDevice _device;
    private readonly RegisterBlock _block;
    private readonly int _vectors;
    private readonly Register<uint> _offeredSelect;
    private readonly Register<uint> _acceptedSelect;
    private readonly RegisterArray<uint> _accepted;
    private readonly Register<ushort> _configVector;
    private readonly Register<VirtioStatus> _status;
    private readonly Register<ushort> _queueSelect;
    private readonly RegisterArray<ushort> _queueSize;
    private readonly RegisterArray<ushort> _queueVector;
    private readonly RegisterArray<ushort> _queueEnable;
    private readonly RegisterArray<ulong> _descriptors;
    private readonly RegisterArray<ulong> _driverArea;
    private readonly RegisterArray<ulong> _deviceArea;
    private bool _isResetting;

    public CommonConfig(VirtioDevice device, RegisterBlock block, int queues, int vectors)
    {
        (_device, _block, _vectors) = (device, block, vectors);
        Func<int> queue = () => _queueSelect!.Value;
        _offeredSelect = block.AddRegister<uint>(0x00, new() { Name = "device_feature_select" });
        block.AddRegister<uint>(0x04, new() { Name = "device_feature", Access = RegisterAccess.ReadOnly, OnRead = _ => Offered() });
        _acceptedSelect = block.AddRegister<uint>(0x08, new() { Name = "driver_feature_select" });
        _accepted = block.AddBankedRegisters<uint>(0x0C, FeatureWords, () => (int)Math.Min(_acceptedSelect.Value, FeatureWords), new() { Name = "driver_feature" });
        _configVector = block.AddRegister<ushort>(0x10, new() { Name = "config_msix_vector", ResetValue = NoVector, OnWrite = _ => CheckVector(_configVector!) });
        block.AddRegister<ushort>(0x12, new() { Name = "num_queues", Access = RegisterAccess.ReadOnly, ResetValue = (ushort)queues });
        // a driver only ever adds to it, but for a reset
        _status = block.AddRegister<VirtioStatus>(0x14, new()
        {
            Name = "device_status",
            WriteOneToSet = ~VirtioStatus.NeedsReset,
            OnWrite = StatusWritten,
            OnRead = StatusRead,
        });
        block.AddRegister<byte>(0x15, new() { Name = "config_generation", Access = RegisterAccess.ReadOnly, OnRead = _ => device.ConfigGeneration });
        _queueSelect = block.AddRegister<ushort>(0x16, new() { Name = "queue_select" });
        _queueSize = block.AddBankedRegisters<ushort>(0x18, queues, queue, new() { Name = "queue_size", OnWrite = SizeWritten });
        _queueVector = block.AddBankedRegisters<ushort>(0x1A, queues, queue, new()
        {
            Name = "queue_msix_vector",
            ResetValue = NoVector,
            OnWrite = (i, _) => CheckVector(_queueVector![i]),
        });
        _queueEnable = block.AddBankedRegisters<ushort>(0x1C, queues, queue, new() { Name = "queue_enable", WriteOneToSet = 1, OnWrite = EnableWritten });
        block.AddRegister<ushort>(0x1E, new() { Name = "queue_notify_off", Access = RegisterAccess.ReadOnly, OnRead = _ => _queueSelect.Value });
        _descriptors = block.AddBankedRegisters<ulong>(0x20, queues, queue, new() { Name = "queue_desc" });
        _driverArea = block.AddBankedRegisters<ulong>(0x28, queues, queue, new() { Name = "queue_driver" });
        _deviceArea = block.AddBankedRegisters<ulong>(0x30, queues, queue, new() { Name = "queue_device" });
        block.AddRegister<ushort>(0x38, new() { Name = "queue_notif_config_data", Access = RegisterAccess.ReadOnly });
        block.AddBankedRegisters<ushort>(0x3A, queues, queue, new() { Name = "queue_reset", Access = RegisterAccess.ReadOnly, OnRead = QueueResetRead, OnWrite = QueueResetWritten });
    }

    public VirtioStatus Status => _status.Value;

    /// <summary>The features that the driver has accepted; none before it says that it has.</summary>
    public VirtioFeatures Features => (Status & VirtioStatus.FeaturesOk) != 0 ? Accepted : 0;

    /// <summary>Any thread.</summary>
    public int? ConfigVector => VectorOf(_configVector);

    private VirtioFeatures Accepted => (VirtioFeatures)(_accepted[0].Value | (ulong)_accepted[1].Value << 32);

    private bool IsDriverOk => (Status & VirtioStatus.DriverOk) != 0;

    /// <summary>Any thread.</summary>
    public int? QueueVector(int queue) => VectorOf(_queueVector[queue]);

    /// <summary>Any thread: the device has failed.</summary>
    /// <returns>Whether the driver can know of it.</returns>
    public bool SetNeedsReset()
    {
        _status.SetBits(VirtioStatus.NeedsReset);
        return IsDriverOk;
    }

    /// <summary>The registers have their initial values.</summary>
    public void OnReset()
    {
        _isResetting = false;
        foreach (VirtioQueue queue in _device.Queues)
            _queueSize[queue.Index].Value = (ushort)queue.MaxSize;
    }

    /// <summary>A queue was added.</summary>
    public void SetMaxSize(VirtioQueue queue) => _queueSize[queue.Index].Value = (ushort)queue.MaxSize;

    /// <summary>The registers have come from another server.</summary>
    public void OnRestored(Func<VirtioQueue, RingState> stateOf)
    {
        foreach (VirtioQueue queue in _device.Queues)
        {
            if (_queueEnable[queue.Index].Value == 0)
                continue;
            if (!IsUsableSize(queue, _queueSize[queue.Index].Value))
                throw new InvalidDataException($"The queue {queue.Name} has {_queueSize[queue.Index].Value} entries.");
            queue.SetRing(MakeRing(queue, stateOf(queue)));
            if (IsDriverOk)
                queue.Start();
        }
    }

    // it may have come from the guest at this moment, or from another server
    private int? VectorOf(Register<ushort> register) => register.Value is var vector && vector < _vectors ? vector : null;

    private uint Offered() => _offeredSelect.Value switch
    {
        0 => (uint)_device.OfferedFeatures,
        1 => (uint)((ulong)_device.OfferedFeatures >> 32),
        _ => 0,
    };

    private void CheckVector(Register<ushort> register)
    {
        if (register.Value >= _vectors)
            register.Value = NoVector;
    }

    private VirtioStatus StatusRead(VirtioStatus status)
    {
        TryFinishReset();
        return _status.Value;
    }

    private void StatusWritten(RegisterWrite<VirtioStatus> write)
    {
        if (write.Written == VirtioStatus.None)
        {
            _isResetting = true;
            foreach (VirtioQueue queue in _device.Queues)
                _device.StopQueue(queue);
            TryFinishReset();
            return;
        }
        if (write.Sets(VirtioStatus.FeaturesOk) && !_device.Accepts(Accepted))
            _status.ClearBits(VirtioStatus.FeaturesOk);
        if (!write.Sets(VirtioStatus.DriverOk))
            return;
        if ((Status & VirtioStatus.FeaturesOk) == 0)
        {
            _device.DriverFailed("it is set up without features that the device accepts");
            return;
        }
        _device.DriverReady();
        foreach (VirtioQueue queue in _device.Queues)
            queue.Start();
    }

    // The driver reads the status until it is zero: nothing of the device uses its queues any more.
    private void TryFinishReset()
    {
        if (!_isResetting || !_device.Queues.All(static queue => queue.IsIdle))
            return;
        _device.ClearQueues();
        _block.ResetRegisters();
        OnReset();
        _device.DriverGone();
    }

    private void SizeWritten(int index, RegisterWrite<ushort> write)
    {
        if (index >= _device.Queues.Count || !IsUsableSize(_device.Queues[index], write.New))
            _queueSize[index].Value = write.Old;
    }

    private bool IsUsableSize(VirtioQueue queue, ushort size) =>
        size > 0 && size <= queue.MaxSize && ((Features & VirtioFeatures.RingPacked) != 0 || ushort.IsPow2(size));

    private void EnableWritten(int index, RegisterWrite<ushort> write)
    {
        if (!write.Sets((ushort)1))
            return;
        if (index >= _device.Queues.Count || _isResetting || !IsUsableSize(_device.Queues[index], _queueSize[index].Value)
            || !_device.Queues[index].IsIdle)
        {
            _queueEnable[index].Value = 0;
            _device.DriverFailed($"it enables the queue {index} with {_queueSize[index].Value} entries");
            return;
        }
        VirtioQueue queue = _device.Queues[index];
        queue.SetRing(MakeRing(queue, RingState.Fresh));
        if (IsDriverOk)
            queue.Start();
    }

    private Ring MakeRing(VirtioQueue queue, RingState state)
    {
        int index = queue.Index;
        RingAddresses at = new(new Iova(_descriptors[index].Value), new Iova(_driverArea[index].Value), new Iova(_deviceArea[index].Value));
        return Ring.Create(_device.Dma, at, _queueSize[index].Value, Features, state);
    }

    // VIRTIO 1.3 4.1.4.3.1: reads 1 until the queue is reset
    private ushort QueueResetRead(int index, ushort stored)
    {
        if (index >= _device.Queues.Count || _device.Queues[index] is not { IsRunning: false, IsIdle: false })
            return 0;
        return 1;
    }

    private void QueueResetWritten(int index, RegisterWrite<ushort> write)
    {
        if (index >= _device.Queues.Count || (Features & VirtioFeatures.RingReset) == 0 || !write.Has((ushort)1))
            return;
        VirtioQueue queue = _device.Queues[index];
        _device.StopQueue(queue);
        _queueEnable[index].Reset();
        _queueSize[index].Value = (ushort)queue.MaxSize;
        _queueVector[index].Reset();
        _descriptors[index].Reset();
        _driverArea[index].Reset();
        _deviceArea[index].Reset();
    }
}
