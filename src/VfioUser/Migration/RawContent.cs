using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A stream in the device's own format.</summary>
internal sealed class RawContent(PciDevice device, IRawMigration raw) : MigrationContent
{
    private bool _isSaving;
    private bool _isBroken; // a read failed
    private bool _isDrained;
    private bool _isRestoring;
    private string? _problem;

    public override ulong StopCopyLength => (ulong)Math.Max(raw.Estimate().Bytes, 0);

    public override ulong PreCopyLength => raw.Estimate() is var estimate
        ? (ulong)Math.Clamp(estimate.WhileRunning, 0, Math.Max(estimate.Bytes, 0)) : 0;

    public override bool CanRead => _isSaving && !_isBroken;

    public override bool IsDrained => _isDrained;

    public override bool IsRestoring => _isRestoring;

    public override int RestoredVersion => 0;

    public override void Changing(MigrationState from, MigrationState to)
    {
        try
        {
            raw.OnState(from, to);
        }
        catch (Exception e)
        {
            // attributed to the migration, and not to the reset or attach that led to the change
            throw new DeviceCodeException(DeviceCallback.MigrationState, e);
        }
    }

    public override void BeginSave() => (_isSaving, _isBroken, _isDrained) = (true, false, false);

    public override void EndSave() => _isSaving = false;

    public override void SaveAgain() => _isDrained = false;

    public override int Read(Span<byte> destination, bool stopped)
    {
        int count = 0;
        _isBroken = true; // if it throws
        while (count < destination.Length)
        {
            Span<byte> rest = destination[count..];
            int piece = raw.Read(rest);
            if (piece < 0 || piece > rest.Length)
                throw new InvalidOperationException($"{raw.GetType().Name}.Read returned {piece} for a destination of {rest.Length} bytes.");
            if (piece == 0)
                break;
            count += piece;
        }
        _isBroken = false;
        _isDrained |= count < destination.Length;
        return count;
    }

    public override string? Write(ReadOnlySpan<byte> source)
    {
        if (_problem is not null || source.IsEmpty)
            return _problem;
        _isRestoring = true;
        _problem = "the device failed to restore it"; // if it throws
        try
        {
            raw.Write(source);
            _problem = null;
        }
        catch (InvalidDataException e)
        {
            _problem = e.Message;
        }
        return _problem;
    }

    public override string? Finish()
    {
        if (_problem is not null)
            return _problem;
        try
        {
            Changing(MigrationState.Resuming, MigrationState.Stop);
        }
        catch (DeviceCodeException e) when (e.InnerException is InvalidDataException invalid)
        {
            return invalid.Message;
        }
        if (_isRestoring)
            device.StateRestored();
        return null;
    }

    public override void EndRestore() => (_isRestoring, _problem) = (false, null);
}
