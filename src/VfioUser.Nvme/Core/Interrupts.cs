namespace VfioUser.Nvme;

/// <summary>Tells the guest of completions: by MSI-X, or by INTx while MSI-X is off. NVMe 1.4 7.5.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class Interrupts(IrqVectors vectors, Intx intx, MsiXCapability capability, DoorbellRegisters doorbells, RundownGuard guest, Func<QueueSet> queues)
{
    private readonly Lock _lock = new();
    private uint _mask;

    /// <summary>Of INTx: bit 0 is all that matters, for every queue has vector 0 there.</summary>
    public uint Mask => Volatile.Read(ref _mask);

    public int Vectors => vectors.Count;

    /// <summary>Whether INTx is what the guest uses.</summary>
    public bool UsesIntx => !capability.IsEnabled;

    public bool IsIntxAsserted => intx.IsAsserted;

    /// <summary>Whether INTx is asserted, and the head that deasserts it is written to memory without a message.</summary>
    public bool NeedsPolling => UsesIntx && intx.IsAsserted && (doorbells.IsMapped || queues().Shadow is not null);

    /// <summary>A completion was posted. Inside the guard.</summary>
    public void Notify(CompletionQueue queue)
    {
        if (!queue.InterruptsEnabled)
            return;
        if (UsesIntx)
        {
            queue.PollMemory();
            UpdateIntx();
        }
        else
        {
            vectors[queue.Vector].Trigger();
        }
    }

    /// <summary>The driver has taken completions, has switched MSI-X on or off, or did something else that may deassert INTx.</summary>
    /// <remarks>The Command thread calls it too: guest memory is not touched.</remarks>
    public void Update() => Update(poll: false);

    /// <summary>As <see cref="Update()"/>, for what nobody tells of. Not on the Command thread.</summary>
    public void Poll() => Update(poll: true);

    private void Update(bool poll)
    {
        if ((!UsesIntx && !intx.IsAsserted) || !guest.TryEnter())
            return;
        try
        {
            for (int id = 0; poll && id <= queues().LastId; id++)
                queues().Completion(id)?.PollMemory();
            UpdateIntx();
        }
        finally
        {
            guest.Exit();
        }
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

    /// <summary>As after a reset of the controller.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Volatile.Write(ref _mask, 0);
            intx.Deassert();
        }
    }

    private void UpdateIntx()
    {
        // nobody waits for guest memory with this lock: the Command thread takes it
        lock (_lock)
        {
            bool assert = false;
            // a function with MSI-X enabled must not use INTx
            if (UsesIntx && (_mask & 1) == 0)
            {
                for (int id = 0; id <= queues().LastId && !assert; id++)
                    assert = queues().Completion(id) is { InterruptsEnabled: true } queue && queue.IsUnread;
            }
            if (assert == intx.IsAsserted)
                return;
            if (assert)
                intx.Assert();
            else
                intx.Deassert();
        }
    }
}
