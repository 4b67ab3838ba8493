namespace VfioUser.Nvme;

/// <summary>Tells the guest of completions: by MSI-X, or by INTx while MSI-X is off. NVMe 1.4 7.5.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class Interrupts
{
    private readonly DeviceInterrupts _device;
    private readonly DoorbellRegisters _doorbells;
    private readonly RundownGuard _guest;
    private readonly QueueSet _queues;
    private uint _mask;

    /// <param name="add">Adds the device's interrupts, with what says whether there is a cause for INTx.</param>
    /// <param name="doorbells">Where heads may move without a message.</param>
    /// <param name="guest">The right to touch guest memory.</param>
    /// <param name="queues">The completions.</param>
    public Interrupts(Func<Func<bool>, DeviceInterrupts> add, DoorbellRegisters doorbells, RundownGuard guest, QueueSet queues)
    {
        (_doorbells, _guest, _queues) = (doorbells, guest, queues);
        _device = add(HasCause);
    }

    /// <summary>Of INTx: bit 0 is all that matters, for every queue has vector 0 there.</summary>
    public uint Mask => Volatile.Read(ref _mask);

    public int Vectors => _device.Count;

    /// <summary>Whether INTx is what the guest uses.</summary>
    public bool UsesIntx => _device.Type == IrqType.Intx;

    public bool IsIntxAsserted => _device.IsAsserted;

    /// <summary>Whether INTx is asserted, and the head that deasserts it is written to memory without a message.</summary>
    public bool NeedsPolling => IsIntxAsserted && UsesIntx && (_doorbells.IsMapped || _queues.Shadow is not null);

    /// <summary>A completion was posted. Inside the guard.</summary>
    public void Notify(CompletionQueue queue)
    {
        if (!queue.InterruptsEnabled)
            return;
        if (UsesIntx)
            queue.PollMemory();
        _device.Trigger(queue.Vector);
    }

    /// <summary>The driver has taken completions, or did something else that may deassert INTx.</summary>
    /// <remarks>The Command thread calls it too: guest memory is not touched.</remarks>
    public void Update()
    {
        if (UsesIntx || IsIntxAsserted)
            _device.Update();
    }

    /// <summary>As <see cref="Update()"/>, for what nobody tells of. Not on the Command thread.</summary>
    public void Poll()
    {
        if (!_guest.TryEnter())
            return;
        try
        {
            for (int id = 0; id <= _queues.LastId; id++)
                _queues.Completion(id)?.PollMemory();
        }
        finally
        {
            _guest.Exit();
        }
        Update();
    }

    public void SetMask(uint bits)
    {
        Interlocked.Or(ref _mask, bits);
        Update();
    }

    public void ClearMask(uint bits)
    {
        Interlocked.And(ref _mask, ~bits);
        Update();
    }

    /// <summary>What was saved; the level of INTx is the library's.</summary>
    public void RestoreMask(uint mask) => Volatile.Write(ref _mask, mask);

    /// <summary>As after a reset of the controller, which has no queues any more.</summary>
    public void Reset()
    {
        Volatile.Write(ref _mask, 0);
        Update();
    }

    private bool HasCause()
    {
        if ((Mask & 1) != 0)
            return false;
        for (int id = 0; id <= _queues.LastId; id++)
        {
            if (_queues.Completion(id) is { InterruptsEnabled: true, IsUnread: true })
                return true;
        }
        return false;
    }
}
