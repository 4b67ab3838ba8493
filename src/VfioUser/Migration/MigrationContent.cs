using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The content of a device's migration stream: records of the library, or bytes in the device's own format.</summary>
/// <remarks>Command thread. Called by <see cref="DeviceMigration"/>, which has the state machine.</remarks>
internal abstract class MigrationContent
{
    /// <summary>Estimated bytes to read in STOP_COPY, in any state.</summary>
    public abstract ulong StopCopyLength { get; }

    /// <summary>Estimated bytes that can be read now, while the device runs.</summary>
    public abstract ulong PreCopyLength { get; }

    /// <summary>Whether a save is in progress that can be continued.</summary>
    public abstract bool CanRead { get; }

    /// <summary>Whether a read has come to the end of what could be saved at that time.</summary>
    public abstract bool IsDrained { get; }

    /// <summary>Whether a restore was started and not completed.</summary>
    public abstract bool IsRestoring { get; }

    /// <summary>Version of the device whose state is restored, or was last; 0 before.</summary>
    public abstract int RestoredVersion { get; }

    /// <summary>The state is about to change; an exception prevents it.</summary>
    public virtual void Changing(MigrationState from, MigrationState to)
    {
    }

    /// <summary>A save begins.</summary>
    public abstract void BeginSave();

    /// <summary>The save has ended, if there was one.</summary>
    public abstract void EndSave();

    /// <summary>The device was reset while it saves in PRE_COPY: the save goes on with the new state.</summary>
    public abstract void SaveAgain();

    /// <summary>Fills <paramref name="destination"/> with the next bytes of a save that can be continued.</summary>
    /// <returns>Bytes filled; fewer than requested if there are no more now or, if <paramref name="stopped"/>, at the end.</returns>
    public abstract int Read(Span<byte> destination, bool stopped);

    /// <summary>Restores the next bytes.</summary>
    /// <returns>What is wrong with them, or null.</returns>
    public abstract string? Write(ReadOnlySpan<byte> source);

    /// <summary>RESUMING ends: the restore is complete, if there was one.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    public abstract string? Finish();

    /// <summary>The restore is over: it is applied, or was dropped.</summary>
    public abstract void EndRestore();
}
