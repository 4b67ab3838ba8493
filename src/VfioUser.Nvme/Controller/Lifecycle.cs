namespace VfioUser.Nvme;

/// <summary>Enabling, disabling, shutting down, resetting: CC and CSTS. NVMe 1.4 3.1.5, 3.1.6, 7.6.</summary>
/// <remarks>
/// The Command thread takes note of what the guest wants, and closes the guard. What waits for disks, or for threads that
/// wait for guest memory, is done by the admin thread: the guest polls CSTS meanwhile, and a client may answer for its
/// memory only when its read of CSTS was answered.
/// </remarks>
internal sealed class Lifecycle(ControllerParts parts)
{
    private readonly Lock _lock = new();
    private readonly List<SubmissionQueue> _draining = [];
    private int _resets;
    private bool _enabled;
    private bool _disabling; // the guard is closed, and somebody may still be inside
    private bool _paused;

    /// <summary>The guest wrote CC. Command thread.</summary>
    public void ConfigurationWritten()
    {
        Configuration configuration = parts.Registers.Configuration;
        lock (_lock)
        {
            if (!configuration.Enabled && _enabled)
            {
                parts.Guest.Close();
                _enabled = false;
                _disabling = true;
                parts.KeepAlive.Reset();
                parts.SelfTests.ControllerReset();
                parts.History.Release();
            }
            // one that never came up has nothing to wait for, and neither has the driver: it may enable it with the next write
            if (!configuration.Enabled && !_disabling && parts.HasFailed && _draining.Count == 0
                && (parts.Registers.Status & StatusBits.ShutdownMask) != StatusBits.ShutdownOccurring)
            {
                parts.Registers.Status = 0;
            }
            if (configuration.WantsShutdown && (parts.Registers.Status & StatusBits.ShutdownMask) == 0)
                parts.Registers.SetStatus(StatusBits.ShutdownOccurring);
        }
        parts.Workers.WakeAdmin();
    }

    /// <summary>The device is reset, or its client has gone. When this returns the guest is touched no more. Command thread.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _resets++;
            _paused = false;
            parts.Workers.SuspendRates(false);
            Disable();
            parts.Registers.Reset();
            parts.Features.Reset();
            parts.KeepAlive.Reset();
            parts.Events.Reset();
            parts.SelfTests.ControllerReset();
            parts.History.Release();
        }
        parts.Workers.WakeAdmin();
    }

    /// <summary>Lets what was fetched come to its end, stops then, and flushes the disks: another host may be the next to read
    /// them. Does nothing while it is paused. Any thread, while the Command thread does nothing else.</summary>
    /// <exception cref="FlushFailedException">Writes are lost; the controller goes on.</exception>
    public void Pause()
    {
        int resets;
        lock (_lock)
        {
            if (_paused)
                return;
            _paused = true;
            resets = _resets;
        }
        try
        {
            parts.Workers.SuspendRates(true);
            parts.SelfTests.Quiesce();
            Drain();
        }
        catch
        {
            Resume();
            throw;
        }
        lock (_lock)
        {
            if (resets != _resets)
                return; // the client has gone meanwhile
            parts.Guest.Close();
            parts.Guest.Wait();
            if (_disabling)
                Disable(); // the state that is saved has no queues
        }
    }

    private void Drain()
    {
        // the admin queue first: its commands make queues
        foreach (SubmissionQueue queue in parts.Queues.Submissions)
        {
            queue.InFlight.Close();
            queue.InFlight.Wait();
        }
        foreach (Namespace space in parts.Namespaces.All.Where(space => space.Disk.IsActive))
            parts.Flush(space);
    }

    /// <summary>Goes on where <see cref="Pause"/> stopped, or with what was restored. Does nothing if it is not paused. Command thread.</summary>
    /// <exception cref="IOException">Another host has the disks.</exception>
    public void Resume()
    {
        if (IsEnabled)
            parts.ActivateDisks();
        lock (_lock)
        {
            if (!_paused)
                return;
            _paused = false;
            parts.Workers.SuspendRates(false);
            if (_enabled)
            {
                foreach (SubmissionQueue queue in parts.Queues.Submissions)
                    queue.InFlight.Open();
                parts.Guest.Open();
            }
        }
        parts.Workers.WakeAdmin();
        parts.Workers.WakeIo();
        parts.Interrupts.Update();
    }

    /// <summary>Makes room for a state that is restored, between <see cref="Pause"/> and <see cref="Resume"/>.</summary>
    /// <param name="enabled">Whether the controller is at work in it.</param>
    public void BeginRestore(bool enabled)
    {
        lock (_lock)
        {
            Disable();
            _draining.Clear(); // nothing is in flight
            parts.Namespaces.UsesDisks = true;
            _enabled = enabled;
        }
    }

    /// <summary>Whether the controller is at work. A saved state says so.</summary>
    public bool IsEnabled => Volatile.Read(ref _enabled);

    /// <summary>Does what the guest wants by now. Admin thread, outside of the guard.</summary>
    /// <returns>Whether there was something to do.</returns>
    public bool Advance()
    {
        SubmissionQueue[] draining;
        int resets;
        bool shutdown;
        if (Volatile.Read(ref _disabling))
            FinishDisabling();
        lock (_lock)
        {
            if (_paused || !HasWork())
                return false;
            draining = [.. _draining];
            resets = _resets;
            shutdown = (parts.Registers.Status & StatusBits.ShutdownMask) == StatusBits.ShutdownOccurring;
        }
        // nobody wants their answers any more, and some may never come
        if (Array.Exists(draining, queue => queue.InFlight.Users > 0))
            parts.Workers.AbortAll();
        foreach (SubmissionQueue queue in draining)
            queue.InFlight.Wait();
        if (shutdown)
            FlushAll();
        lock (_lock)
        {
            if (resets != _resets || _paused || _disabling)
                return true;
            _draining.RemoveAll(draining.Contains);
            if (shutdown)
            {
                parts.Registers.ShutdownIsComplete();
            }
            if (_draining.Count > 0)
                return true;
            Configuration configuration = parts.Registers.Configuration;
            if (!configuration.Enabled && !_enabled && !shutdown && (parts.Registers.Status & ~StatusBits.ShutdownMask) != 0)
                parts.Registers.Status = 0;
            if (configuration.Enabled && !_enabled && !parts.HasFailed)
                Enable(configuration);
            return true;
        }
    }

    private void FinishDisabling()
    {
        parts.Guest.Wait();
        lock (_lock)
        {
            if (_disabling && !_paused)
                Disable();
        }
    }

    private bool HasWork()
    {
        uint status = parts.Registers.Status;
        return _draining.Count > 0
            || (status & StatusBits.ShutdownMask) == StatusBits.ShutdownOccurring
            || (parts.Registers.Configuration.Enabled ? !_enabled && !parts.HasFailed : !_enabled && (status & ~StatusBits.ShutdownMask) != 0);
    }

    private void Enable(Configuration configuration)
    {
        ControllerRegisters registers = parts.Registers;
        if (!configuration.IsSupported || registers.AdminSubmissionQueueSize < 2 || registers.AdminCompletionQueueSize < 2)
        {
            parts.Fail($"enabled with CC 0x{configuration.Value:x8}, AQA sizes {registers.AdminSubmissionQueueSize} and {registers.AdminCompletionQueueSize}");
            return;
        }
        try
        {
            parts.ActivateDisks();
        }
        catch (IOException e)
        {
            parts.Fail(e.Message);
            return;
        }
        CompletionQueue completions = parts.Queues.Add(new CompletionQueueState(
            registers.AdminCompletionQueue, 0, 0, registers.AdminCompletionQueueSize, 0, 0, Phase: 1, InterruptsEnabled: 1, 0));
        parts.Queues.Add(new SubmissionQueueState(registers.AdminSubmissionQueue, 0, 0, registers.AdminSubmissionQueueSize, 0, 0), completions);
        parts.Features.Reset();
        parts.KeepAlive.Reset(); // the last command before the reset may have set it after the guest had cleared CC.EN
        parts.Events.Reset();
        parts.OffersWriteCache = parts.HasVolatileCache;
        parts.History.AddReset();
        _enabled = true;
        registers.Status = StatusBits.Ready;
        parts.Guest.Open();
    }

    // Under the lock. The users of the guard take no lock that is held here.
    private void Disable()
    {
        parts.Guest.Close();
        parts.Guest.Wait();
        parts.Workers.RemoveAll();
        _draining.AddRange(parts.Queues.RemoveAll());
        parts.Interrupts.Reset();
        parts.Namespaces.ResetHost();
        _enabled = _disabling = false;
        parts.Namespaces.UsesDisks = false;
    }

    private void FlushAll()
    {
        foreach (Namespace space in parts.Namespaces.All)
        {
            try
            {
                parts.Flush(space);
            }
            catch (Exception e)
            {
                Log.ShutdownFlushFailed(parts.Logger(), space.Id, e.Message);
            }
        }
    }
}
