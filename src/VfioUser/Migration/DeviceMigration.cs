using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The migration state of a device, and its transitions.</summary>
/// <remarks>Command thread. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
internal sealed class DeviceMigration(PciDevice device, IMigrationState? deviceState, bool preCopy)
{
    private StateLayout? _layout;
    private MigrationWriter? _writer;
    private MigrationReader? _reader;
    private int _restoredVersion;
    private bool _failed; // the last state transition

    public MigrationState State { get; private set; } = MigrationState.Running;

    public bool HasPreCopy { get; } = preCopy;

    // created on first use, when the device is declared completely
    private StateLayout Layout => _layout ??= new StateLayout(device);

    /// <summary>Whether a region can be accessed.</summary>
    /// <remarks>
    /// All other commands are served in every state: QEMU stops its devices with each <c>stop</c>, then maps hot-plugged memory,
    /// and unmaps all when it quits. Configuration space is readable except in ERROR, and writable unless it is being saved: QEMU
    /// accesses it when it loads a machine's state. A stopped device can be read, but not written, since a write might start an
    /// operation. Source: <c>linux/vfio.h</c>, on VFIO_DEVICE_STATE_STOP.
    /// </remarks>
    public bool AllowsAccess(uint region, bool write) => State switch
    {
        MigrationState.Running or MigrationState.PreCopy => true,
        MigrationState.Stop => !write || region == (uint)PciRegion.Config,
        MigrationState.StopCopy => !write && region == (uint)PciRegion.Config,
        MigrationState.Resuming => region == (uint)PciRegion.Config,
        _ => false,
    };

    /// <summary>Whether a state differs from the current one and can be reached from it.</summary>
    public bool CanChangeTo(MigrationState target) => target != State && StateTransitions.Path(State, target, HasPreCopy) is not null;

    /// <summary>Estimated bytes to read in STOP_COPY, in any state.</summary>
    public ulong StopCopyLength
    {
        get
        {
            ulong own = EstimateOwn(out _);
            return Layout.StreamSize + own + StateLayout.HeaderBytes(own);
        }
    }

    /// <summary>Estimated bytes to read in PRE_COPY: of the initial state, until it has been read, or of what changed since.</summary>
    /// <returns>False if the device is not in PRE_COPY, or a read has failed.</returns>
    public bool TryGetPreCopyInfo(out ulong initial, out ulong dirty)
    {
        (initial, dirty) = (0, 0);
        if (State != MigrationState.PreCopy || _writer is not { IsBroken: false } writer)
            return false;
        EstimateOwn(out ulong running);
        running += writer.MemoryWhileRunning;
        ulong bytes = running + StateLayout.HeaderBytes(running) + (ulong)writer.Buffered;
        if (writer.IsDrained)
            dirty = bytes;
        else
            initial = bytes;
        return true;
    }

    /// <summary>Of the device whose state is restored, or was last; 0 before.</summary>
    public int RestoredVersion => _reader?.Version ?? _restoredVersion;

    /// <summary>A state transition was refused before it started.</summary>
    public void Failed() => _failed = true;

    /// <summary>Changes to a state, step by step. If a step fails, the device stays in the last state that it reached, or in ERROR
    /// if a restore failed.</summary>
    /// <param name="target">From the client; any number.</param>
    /// <param name="problem">What is wrong with restored data, or null.</param>
    /// <remarks>Exceptions of the device pass through.</remarks>
    public Errno TrySet(MigrationState target, out string? problem)
    {
        problem = null;
        _failed = true;
        if (StateTransitions.Path(State, target, HasPreCopy) is not { } path)
            return Errno.EINVAL;
        foreach (MigrationState next in path)
        {
            problem = Step(next);
            if (problem is not null)
                return Errno.EINVAL;
        }
        _failed = false;
        return Errno.None;
    }

    /// <summary>Reads the next bytes of the migration stream, in PRE_COPY or STOP_COPY.</summary>
    /// <returns>False if the stream cannot continue: an earlier read failed, or ending the save did.</returns>
    public bool TryRead(Span<byte> destination, out int count)
    {
        count = 0;
        if (_writer is not { IsBroken: false } writer)
            return false;
        count = writer.Read(destination, stopped: State == MigrationState.StopCopy);
        return true;
    }

    /// <summary>Writes the next bytes of the migration stream, in RESUMING.</summary>
    /// <returns>What is wrong with them, or null.</returns>
    public string? Write(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return _reader?.Problem;
        if (_reader is null)
        {
            // not earlier: if the client cancels before the first byte, the device is unchanged
            _reader = new MigrationReader(device, Layout, deviceState);
            deviceState?.BeginRestore();
        }
        _reader.Feed(source);
        return _reader.Problem;
    }

    /// <summary>The device was reset: back to RUNNING, except in PRE_COPY, so that a guest can reboot during a migration.</summary>
    /// <remarks>QEMU resets the device when the guest reboots, and expects it to stay in PRE_COPY. It also resets it after a failed
    /// state transition, and then expects RUNNING.</remarks>
    public void Reset()
    {
        if (State == MigrationState.PreCopy && !_failed && _writer is { IsBroken: false } writer)
            writer.StartOver(BeginAgain);
        else
            BackToRunning();
    }

    /// <summary>Ends a save or a restore, and lets the device run.</summary>
    public void BackToRunning()
    {
        State = MigrationState.Running;
        _failed = false;
        _reader = null;
        try
        {
            EndSave();
        }
        finally
        {
            if (device.Activity.IsStopped)
                Restart();
        }
    }

    /// <summary>Whether a restore was started and not completed, or failed: the device must be reset.</summary>
    public bool HasHalfState => _reader is not null || State == MigrationState.Error;

    // The device runs again even if OnStarted throws.
    private void Restart()
    {
        try
        {
            device.Started();
        }
        finally
        {
            device.RunAgain();
            Layout.DeliverIrqs();
        }
    }

    private string? Step(MigrationState next)
    {
        switch (State, next)
        {
            case (MigrationState.Running, MigrationState.PreCopy):
            case (MigrationState.Stop, MigrationState.StopCopy):
                BeginSave();
                break;
            case (MigrationState.Running, MigrationState.Stop):
            case (MigrationState.PreCopy, MigrationState.StopCopy):
                device.Stopped();
                break;
            case (MigrationState.PreCopy, MigrationState.Running):
            case (MigrationState.StopCopy, MigrationState.Stop):
                EndSave();
                break;
            case (MigrationState.Stop, MigrationState.Running):
                device.Started();
                State = next; // first, in case delivering throws
                Layout.DeliverIrqs();
                return null;
            case (MigrationState.Resuming, MigrationState.Stop):
                if (FinishRestore() is { } problem)
                    return problem;
                break;
        }
        State = next;
        return null;
    }

    private void BeginSave()
    {
        Call(static state => state.BeginSave());
        _writer = new MigrationWriter(device, Layout, deviceState);
    }

    private void BeginAgain()
    {
        Call(static state => state.EndSave());
        Call(static state => state.BeginSave());
    }

    private ulong EstimateOwn(out ulong running)
    {
        MigrationEstimate estimate = deviceState?.Estimate() ?? default;
        ulong bytes = (ulong)Math.Max(estimate.Bytes, 0);
        running = Math.Min((ulong)Math.Max(estimate.WhileRunning, 0), bytes);
        return bytes;
    }

    private void EndSave()
    {
        if (_writer is null)
            return;
        _writer = null;
        Call(static state => state.EndSave());
    }

    // Saves also begin and end in resets and attaches: attribute an exception to the migration state, not to those.
    private void Call(Action<IMigrationState> call)
    {
        if (deviceState is null)
            return;
        try
        {
            call(deviceState);
        }
        catch (Exception e)
        {
            throw new DeviceCodeException(DeviceCallback.MigrationState, e);
        }
    }

    private string? FinishRestore()
    {
        if (_reader is not { } reader)
            return null;
        // in case it fails: the device then has neither its old nor its new state
        State = MigrationState.Error;
        string? problem = reader.Finish();
        if (problem is null)
            device.StateRestored();
        if (problem is null)
        {
            _restoredVersion = reader.Version;
            _reader = null;
            device.Notifiers.Discard();
            device.CommandWork.Restored();
        }
        return problem;
    }
}
