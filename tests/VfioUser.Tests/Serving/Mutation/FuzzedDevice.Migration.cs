namespace VfioUser.Tests.Serving;

/// <content>Its state, and what it throws on the way when the guest has told it to.</content>
internal sealed partial class FuzzedDevice : IMigrationState
{
    public const byte Callbacks = 7;
    private const int StateSize = 100;

    private byte _throwIn;
    private int _given;

    /// <summary>How often a state was restored to the end.</summary>
    public int Restored { get; private set; }

    /// <summary>Forgets what an earlier guest has told it to throw, which a reset does not.</summary>
    public void Calm() => _throwIn = 0;

    void IMigrationState.BeginSave()
    {
        ThrowIfTold(1);
        _given = 0;
    }

    int IMigrationState.Save(Span<byte> destination, bool stopped)
    {
        ThrowIfTold(2);
        int count = Math.Min(destination.Length, (stopped ? StateSize : StateSize / 2) - _given);
        destination[..count].Fill(1);
        _given += count;
        return count;
    }

    void IMigrationState.EndSave() => ThrowIfTold(3);

    void IMigrationState.BeginRestore() => ThrowIfTold(4);

    void IMigrationState.Restore(ReadOnlySpan<byte> source)
    {
        ThrowIfTold(5);
        if (source.ContainsAnyExcept((byte)1))
            throw new InvalidDataException("The state holds ones.");
    }

    void IMigrationState.EndRestore()
    {
        Restored++;
    }

    protected override void OnStopped() => ThrowIfTold(6);

    protected override void OnStarted() => ThrowIfTold(7);

    private void ThrowIfTold(byte callback)
    {
        if (_throwIn != callback)
            return;
        _throwIn = 0;
        throw new FuzzException();
    }
}
