namespace VfioUser;

/// <summary>The library's stream: a header, records of the state that the library saves and of the device's own, a checksum.</summary>
/// <param name="device">The device.</param>
/// <param name="layout">The state that the library saves; called when the device is declared completely.</param>
/// <param name="deviceState">The device's own; null for none.</param>
internal sealed class RecordContent(PciDevice device, Func<StateLayout> layout, IMigrationState? deviceState) : MigrationContent
{
    private MigrationWriter? _writer;
    private MigrationReader? _reader;
    private int _restoredVersion;

    public override ulong StopCopyLength
    {
        get
        {
            ulong own = EstimateOwn(out _);
            return layout().StreamSize + own + StateLayout.HeaderBytes(own);
        }
    }

    public override ulong PreCopyLength
    {
        get
        {
            EstimateOwn(out ulong running);
            running += _writer!.MemoryWhileRunning;
            return running + StateLayout.HeaderBytes(running) + (ulong)_writer.Buffered;
        }
    }

    public override bool CanRead => _writer is { IsBroken: false };

    public override bool IsDrained => _writer is { IsDrained: true };

    public override bool IsRestoring => _reader is not null;

    public override int RestoredVersion => _reader?.Version ?? _restoredVersion;

    public override void BeginSave()
    {
        Call(static state => state.BeginSave());
        _writer = new MigrationWriter(device, layout(), deviceState);
    }

    public override void EndSave()
    {
        if (_writer is null)
            return;
        _writer = null;
        Call(static state => state.EndSave());
    }

    public override void SaveAgain() => _writer!.StartOver(BeginAgain);

    public override int Read(Span<byte> destination, bool stopped) => _writer!.Read(destination, stopped);

    public override string? Write(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return _reader?.Problem;
        if (_reader is null)
        {
            // not earlier: if the client cancels before the first byte, the device is unchanged
            _reader = new MigrationReader(device, layout(), deviceState);
            deviceState?.BeginRestore();
        }
        _reader.Feed(source);
        return _reader.Problem;
    }

    public override string? Finish()
    {
        if (_reader is null)
            return null;
        string? problem = _reader.Finish();
        if (problem is null)
            device.StateRestored();
        if (problem is null)
            _restoredVersion = _reader.Version;
        return problem;
    }

    public override void EndRestore() => _reader = null;

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
}
