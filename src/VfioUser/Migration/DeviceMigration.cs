using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Where a device stands in the migration state machine, and what it does on the way.</summary>
/// <remarks>Command thread. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
internal sealed class DeviceMigration(PciDevice device, IMigrationState? deviceState, bool preCopy)
{
    private StateLayout? _layout;
    private MigrationWriter? _writer;
    private MigrationReader? _reader;
    private bool _failed; // the last change of the state

    public MigrationState State { get; private set; } = MigrationState.Running;

    public bool HasPreCopy { get; } = preCopy;

    // the device is declared completely by now
    private StateLayout Layout => _layout ??= new StateLayout(device);

    /// <summary>Whether a region can be accessed.</summary>
    /// <remarks>
    /// All other commands are served in every state: QEMU stops its devices with each <c>stop</c>, and then maps memory that is
    /// plugged in, and unmaps all when it quits. The configuration space can be read as long as it means something, and written
    /// while nobody copies it: a monitor that loads a machine's state touches it. What is stopped shows itself, but a write
    /// might set it to work. Source: <c>linux/vfio.h</c>, on VFIO_DEVICE_STATE_STOP.
    /// </remarks>
    public bool AllowsAccess(uint region, bool write) => State switch
    {
        MigrationState.Running or MigrationState.PreCopy => true,
        MigrationState.Stop => !write || region == (uint)PciRegion.Config,
        MigrationState.StopCopy => !write && region == (uint)PciRegion.Config,
        MigrationState.Resuming => region == (uint)PciRegion.Config,
        _ => false,
    };

    /// <summary>Whether there is another state to go to, and a way.</summary>
    public bool CanChangeTo(MigrationState target) => target != State && StateTransitions.Path(State, target, HasPreCopy) is not null;

    /// <summary>Bytes that are to be read once the device is stopped. An estimate, in any state.</summary>
    public ulong StopCopyLength
    {
        get
        {
            ulong own = EstimateOwn(out _);
            return Layout.StreamSize + own + StateLayout.HeaderBytes(own);
        }
    }

    /// <summary>Bytes that can be read while the device runs: of the state with which pre-copy began, and of what changed since.</summary>
    /// <returns>False when it is not in pre-copy.</returns>
    public bool TryGetPreCopyInfo(out ulong initial, out ulong dirty)
    {
        (initial, dirty) = (0, 0);
        if (State != MigrationState.PreCopy || _writer is not { IsBroken: false } writer)
            return false;
        EstimateOwn(out ulong running);
        ulong bytes = running + StateLayout.HeaderBytes(running) + (ulong)writer.Buffered;
        if (writer.IsDrained)
            dirty = bytes;
        else
            initial = bytes;
        return true;
    }

    /// <summary>A change of the state was refused before it began.</summary>
    public void Failed() => _failed = true;

    /// <summary>Goes to a state, step by step; stays at the last one that was reached when a step fails.</summary>
    /// <param name="target">From the client; any number.</param>
    /// <param name="problem">What is wrong with the data of a restore, or null.</param>
    /// <remarks>What the author throws passes through, with the state as it is then.</remarks>
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

    /// <summary>Reads the device's state. The device is in the saving group.</summary>
    /// <returns>False when there is nothing to go on with: an earlier read failed, or the end of the save did.</returns>
    public bool TryRead(Span<byte> destination, out int count)
    {
        count = 0;
        if (_writer is not { IsBroken: false } writer)
            return false;
        count = writer.Read(destination, stopped: State == MigrationState.StopCopy);
        return true;
    }

    /// <summary>Takes the device's state. The device is resuming.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    public string? Write(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return _reader?.Problem;
        if (_reader is null)
        {
            // not earlier: who comes to think better of it before the first byte has a device as it was
            _reader = new MigrationReader(device, Layout, deviceState);
            deviceState?.BeginRestore();
        }
        _reader.Feed(source);
        return _reader.Problem;
    }

    /// <summary>The device was reset, which brings it back to RUNNING; but a guest that reboots during pre-copy still moves.</summary>
    /// <remarks>QEMU resets the device then, and believes it in PRE_COPY as before. It resets it, too, when it could not change the
    /// state, and then believes it in RUNNING.</remarks>
    public void Reset()
    {
        if (State == MigrationState.PreCopy && !_failed && _writer is { IsBroken: false } writer)
            writer.StartOver(BeginAgain);
        else
            BackToRunning();
    }

    /// <summary>Ends what was begun: the device runs.</summary>
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

    /// <summary>Whether a restore was begun and not finished, or failed: only a reset helps.</summary>
    public bool HasHalfState => _reader is not null || State == MigrationState.Error;

    // It runs, even if its author does not manage to say so.
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
                State = next; // before: what is held from here on is not delivered below
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

    // Saves begin and end at resets and at attaches, too: who reports an exception is to know that it was not theirs.
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
        // until it has succeeded the device is neither what it was nor what it is to be
        State = MigrationState.Error;
        string? problem = reader.Finish();
        if (problem is null)
        {
            _reader = null;
            device.Notifiers.Discard();
            device.CommandWork.Restored();
        }
        return problem;
    }
}
