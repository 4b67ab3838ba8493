using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The migration state of a device, and its transitions.</summary>
/// <remarks>Command thread. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
internal sealed class DeviceMigration
{
    private readonly PciDevice _device;
    private readonly MigrationContent _content;
    private StateLayout? _layout;
    private bool _failed; // the last state transition

    /// <param name="device">The device.</param>
    /// <param name="deviceState">Its own state, beside what the library saves; null for none.</param>
    /// <param name="preCopy">Whether it can save while it runs.</param>
    public DeviceMigration(PciDevice device, IMigrationState? deviceState, bool preCopy)
    {
        (_device, HasPreCopy) = (device, preCopy);
        _content = new RecordContent(device, () => Layout, deviceState);
    }

    /// <param name="device">The device.</param>
    /// <param name="raw">All that is saved.</param>
    /// <param name="preCopy">Whether it can save while it runs.</param>
    public DeviceMigration(PciDevice device, IRawMigration raw, bool preCopy)
    {
        (_device, HasPreCopy) = (device, preCopy);
        _content = new RawContent(device, raw);
    }

    public MigrationState State { get; private set; } = MigrationState.Running;

    public bool HasPreCopy { get; }

    // created on first use, when the device is declared completely
    private StateLayout Layout => _layout ??= new StateLayout(_device);

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
        MigrationState.Stop => !write || region == (uint)RegionIndex.Config,
        MigrationState.StopCopy => !write && region == (uint)RegionIndex.Config,
        MigrationState.Resuming => region == (uint)RegionIndex.Config,
        _ => false,
    };

    /// <summary>Whether a state differs from the current one and can be reached from it.</summary>
    public bool CanChangeTo(MigrationState target) => target != State && StateTransitions.Path(State, target, HasPreCopy) is not null;

    /// <summary>Estimated bytes to read in STOP_COPY, in any state.</summary>
    public ulong StopCopyLength => _content.StopCopyLength;

    /// <summary>Estimated bytes to read in PRE_COPY: of the initial state, until it has been read, or of what changed since.</summary>
    /// <returns>False if the device is not in PRE_COPY, or a read has failed.</returns>
    public bool TryGetPreCopyInfo(out ulong initial, out ulong dirty)
    {
        (initial, dirty) = (0, 0);
        if (State != MigrationState.PreCopy || !_content.CanRead)
            return false;
        if (_content.IsDrained)
            dirty = _content.PreCopyLength;
        else
            initial = _content.PreCopyLength;
        return true;
    }

    /// <summary>Version of the device whose state is restored, or was last; 0 before.</summary>
    public int RestoredVersion => _content.RestoredVersion;

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
        if (!_content.CanRead)
            return false;
        count = _content.Read(destination, stopped: State == MigrationState.StopCopy);
        return true;
    }

    /// <summary>Writes the next bytes of the migration stream, in RESUMING.</summary>
    /// <returns>What is wrong with them, or null.</returns>
    public string? Write(ReadOnlySpan<byte> source) => _content.Write(source);

    /// <summary>The device was reset: back to RUNNING, except in PRE_COPY, so that a guest can reboot during a migration.</summary>
    /// <remarks>QEMU resets the device when the guest reboots, and expects it to stay in PRE_COPY. It also resets it after a failed
    /// state transition, and then expects RUNNING. Of a reset that the device requested, a client knows nothing, and the state stays.</remarks>
    public void Reset(ResetReason reason)
    {
        bool isRequested = reason == ResetReason.DeviceRequested;
        if (State == MigrationState.PreCopy && (!_failed || isRequested) && _content.CanRead)
            _content.SaveAgain();
        else if (!isRequested)
            BackToRunning();
    }

    /// <summary>Ends a save or a restore, and lets the device run.</summary>
    public void BackToRunning()
    {
        MigrationState before = State;
        State = MigrationState.Running;
        _failed = false;
        _content.EndRestore();
        try
        {
            if (before != MigrationState.Running)
                _content.Changing(before, MigrationState.Running);
        }
        finally
        {
            EndSaveAndRestart();
        }
    }

    private void EndSaveAndRestart()
    {
        try
        {
            _content.EndSave();
        }
        finally
        {
            if (_device.Activity.IsStopped)
                Restart();
        }
    }

    /// <summary>Whether a restore was started and not completed, or failed: the device must be reset.</summary>
    public bool NeedsReset => _content.IsRestoring || State == MigrationState.Error;

    // The device runs again even if OnStarted throws.
    private void Restart()
    {
        try
        {
            _device.Started();
        }
        finally
        {
            _device.RunAgain();
            Layout.DeliverIrqs();
        }
    }

    private string? Step(MigrationState next)
    {
        if (State != MigrationState.Resuming)
            _content.Changing(State, next);
        switch (State, next)
        {
            case (MigrationState.Running, MigrationState.PreCopy):
            case (MigrationState.Stop, MigrationState.StopCopy):
                _content.BeginSave();
                break;
            case (MigrationState.Running, MigrationState.Stop):
            case (MigrationState.PreCopy, MigrationState.StopCopy):
                _device.Stopped();
                break;
            case (MigrationState.PreCopy, MigrationState.Running):
            case (MigrationState.StopCopy, MigrationState.Stop):
                _content.EndSave();
                break;
            case (MigrationState.Stop, MigrationState.Running):
                _device.Started();
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

    private string? FinishRestore()
    {
        // in case it fails: the device then has neither its old nor its new state
        if (_content.IsRestoring)
            State = MigrationState.Error;
        string? problem = _content.Finish();
        if (problem is null && _content.IsRestoring)
        {
            _content.EndRestore();
            _device.Notifiers.Discard();
            _device.CommandWork.Restored();
        }
        return problem;
    }
}
