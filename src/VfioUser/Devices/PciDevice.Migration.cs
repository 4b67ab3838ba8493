using System.Buffers;

namespace VfioUser;

/// <content>Live migration.</content>
public abstract partial class PciDevice
{
    /// <summary>Bytes that a state saved as one piece has at most, unless the author says otherwise: 16 MiB.</summary>
    public const int DefaultMaxStateSize = 16 << 20;

    /// <summary>Null for a device that cannot be migrated.</summary>
    internal DeviceMigration? Migration { get; private set; }

    /// <summary>Lets the device move to another host, with nothing to carry but what the library knows: registers made with
    /// <see cref="RegisterBlock.AddRegister{T}(ulong, Access)"/>, MSI-X tables, what the guest wrote to the configuration space,
    /// the level of the interrupt pin and pending interrupts, timers, and shared memory of regions.</summary>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. For devices that keep everything in registers. Spec: "Device Features".</remarks>
    protected void EnableMigration() => MakeMigratable(null, preCopy: false);

    /// <summary>Lets the device move to another host, with a state of its own beside what the library knows.</summary>
    /// <param name="state">Saves and restores it.</param>
    /// <param name="preCopy">Whether it can save while the device still runs: for large states, so that the guest stands
    /// still for a shorter time.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. Spec: "Device Features".</remarks>
    protected void EnableMigration(IMigrationState state, bool preCopy = false)
    {
        ArgumentNullException.ThrowIfNull(state);
        MakeMigratable(state, preCopy);
    }

    /// <summary>Lets the device move to another host, with a state that is one small structure.</summary>
    /// <typeparam name="T">A structure without references; source and destination must agree on its layout, so give it an explicit one.</typeparam>
    /// <param name="save">Gives the state. Called when the device is stopped.</param>
    /// <param name="restore">Takes it, after registers and memory were restored. May throw <see cref="InvalidDataException"/>.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration<T>(Func<T> save, Action<T> restore)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        MakeMigratable(BufferedState.Of(save, restore), preCopy: false);
    }

    /// <summary>Lets the device move to another host, with a state that is saved and restored as one piece.</summary>
    /// <param name="save">Writes the state. Called when the device is stopped.</param>
    /// <param name="restore">Takes it, after registers and memory were restored. May throw <see cref="InvalidDataException"/>.</param>
    /// <param name="maxSize">What a client can make the device hold during a restore, in bytes; a longer state is refused.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration(Action<IBufferWriter<byte>> save, MigrationRestore restore, int maxSize = DefaultMaxStateSize)
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        ArgumentOutOfRangeException.ThrowIfNegative(maxSize);
        MakeMigratable(new BufferedState(save, restore, maxSize), preCopy: false);
    }

    /// <summary>The device is to come to rest: when this returns it touches no guest memory, triggers no interrupt and
    /// changes nothing of what is saved, until <see cref="OnStarted"/>.</summary>
    /// <remarks>Command thread, after <see cref="OnQuiesceAsync"/>. What the guest rang through eventfds and doorbell pages
    /// has been handled, and is handled no more; where the author polls for it, this is the last time to poll. Only devices that can be migrated are stopped. An exception fails the client's command, and
    /// the device runs on. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
    protected virtual void OnStopped()
    {
    }

    /// <summary>The device works again: where it was stopped, with what it had then or with what was restored.</summary>
    /// <remarks>Command thread. After a restore or a reset in between, too. An exception fails the client's command, and
    /// the device stays stopped.</remarks>
    protected virtual void OnStarted()
    {
    }

    internal void Stopped()
    {
        Activity.Stop();
        Notifiers.Drain();
        // what they lead to belongs to the state that is saved
        CommandWork.Stop();
        try
        {
            Call(DeviceCallback.Stopped, static (device, _) => device.OnStopped(), 0);
        }
        catch
        {
            Activity.Start();
            Notifiers.Continue();
            CommandWork.Continue();
            throw;
        }
        Activity.StopDone();
        Notifiers.Settle();
    }

    internal void Started()
    {
        Call(DeviceCallback.Started, static (device, _) => device.OnStarted(), 0);
        RunAgain();
    }

    /// <summary>It runs, whether it managed to say so or not.</summary>
    internal void RunAgain()
    {
        Activity.Start();
        Notifiers.Continue();
        CommandWork.Continue();
    }

    private void MakeMigratable(IMigrationState? author, bool preCopy)
    {
        ThrowIfServed();
        if (Migration is not null)
            throw new InvalidOperationException("Migration is enabled already. Say all about it in one call.");
        Migration = new DeviceMigration(this, author, preCopy);
    }
}
