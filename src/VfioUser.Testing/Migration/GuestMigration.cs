using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>Migration of the device, step by step.</summary>
/// <remarks>The test's thread. A step that the device refuses throws a <see cref="VfioUserException"/>; if its code threw, that
/// is the inner exception. Spec: "Device Features".</remarks>
public sealed class GuestMigration
{
    /// <summary>Bytes of state to ask for in one message, unless the test says otherwise.</summary>
    public const int DefaultPieceSize = 64 << 10;

    private readonly TestGuest _guest;

    internal GuestMigration(TestGuest guest) => _guest = guest;

    /// <summary>Asks for the optional migration states that the device supports; none when it cannot be migrated.</summary>
    public MigrationFlags GetFlags() => _guest.Client.GetMigrationFlags();

    /// <summary>Asks for the device's migration state.</summary>
    public MigrationState GetState() => _guest.Client.GetMigrationState();

    /// <summary>Moves the device to a migration state.</summary>
    public void SetState(MigrationState state) => _guest.Try(() => _guest.Client.SetMigrationState(state));

    /// <summary>Reads the device's state: in <see cref="MigrationState.PreCopy"/> as much as there is for now, in
    /// <see cref="MigrationState.StopCopy"/> all that is left.</summary>
    /// <param name="pieceSize">Bytes to ask for in one message.</param>
    public byte[] Read(int pieceSize = DefaultPieceSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pieceSize);
        using MemoryStream all = new();
        byte[] piece = new byte[Math.Min(pieceSize, _guest.Client.Limits.MaxTransferToReceive)];
        int count = 0;
        do
        {
            _guest.Try(() => count = _guest.Client.ReadMigrationData(piece));
            all.Write(piece, 0, count);
        }
        while (count == piece.Length);
        return all.ToArray();
    }

    /// <summary>Writes state to a device in <see cref="MigrationState.Resuming"/>; it may come in any number of pieces.</summary>
    public void Write(ReadOnlySpan<byte> state)
    {
        try
        {
            _guest.Client.WriteMigrationData(state);
        }
        catch (VfioUserException e)
        {
            throw _guest.Explain(e);
        }
    }

    /// <summary>Stops the device and reads its state, or the rest of it after pre-copy. It stays in
    /// <see cref="MigrationState.Stop"/>: see <see cref="Resume"/>.</summary>
    /// <param name="pieceSize">Bytes to ask for in one message.</param>
    public byte[] Save(int pieceSize = DefaultPieceSize)
    {
        SetState(MigrationState.StopCopy);
        byte[] state = Read(pieceSize);
        SetState(MigrationState.Stop);
        return state;
    }

    /// <summary>Writes a state to the device, and starts it.</summary>
    public void Restore(ReadOnlySpan<byte> state)
    {
        SetState(MigrationState.Resuming);
        Write(state);
        SetState(MigrationState.Running);
    }

    /// <summary>Lets the device run again: the migration is cancelled.</summary>
    public void Resume() => SetState(MigrationState.Running);
}
