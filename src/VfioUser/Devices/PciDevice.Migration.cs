using System.Buffers;

namespace VfioUser;

/// <content>Live migration.</content>
public abstract partial class PciDevice
{
    /// <summary>Default limit for a state that is saved as a whole, in bytes: 16 MiB.</summary>
    public const int DefaultMaxStateSize = 16 << 20;

    /// <summary>The migration state; null for a device that cannot be migrated.</summary>
    internal DeviceMigration? Migration { get; private set; }

    /// <summary>Enables migration for a device without own state. The library migrates registers of
    /// <see cref="RegisterBlock.AddRegister{T}(ulong, Access)"/>, MSI-X tables, what the guest wrote to configuration space,
    /// the level of INTx, pending interrupts, timers, and shared memory of regions.</summary>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. Spec: "Device Features".</remarks>
    protected void EnableMigration() => MakeMigratable(null, preCopy: false);

    /// <summary>Enables migration for a device with own state, besides what the library migrates.</summary>
    /// <param name="state">Saves and restores the device's own state.</param>
    /// <param name="preCopy">Whether it can save while the device runs: for large states, to shorten the guest's downtime.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. Spec: "Device Features".</remarks>
    protected void EnableMigration(IMigrationState state, bool preCopy = false)
    {
        ArgumentNullException.ThrowIfNull(state);
        MakeMigratable(state, preCopy);
    }

    /// <summary>Enables migration for a device whose own state is one small structure.</summary>
    /// <typeparam name="T">A structure without references; source and destination must agree on its layout, so give it an explicit one.</typeparam>
    /// <param name="save">Returns the state. Called when the device is stopped.</param>
    /// <param name="restore">Restores it, after registers and memory. May throw <see cref="InvalidDataException"/>.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration<T>(Func<T> save, Action<T> restore)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        MakeMigratable(BufferedState.Of(save, restore), preCopy: false);
    }

    /// <summary>Enables migration for a device whose own state is saved and restored as a whole.</summary>
    /// <param name="save">Writes the state. Called when the device is stopped.</param>
    /// <param name="restore">Restores it, after registers and memory. May throw <see cref="InvalidDataException"/>.</param>
    /// <param name="maxSize">Limit in bytes for what a restore buffers; a longer state is refused.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration(Action<IBufferWriter<byte>> save, MigrationRestore restore, int maxSize = DefaultMaxStateSize)
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        ArgumentOutOfRangeException.ThrowIfNegative(maxSize);
        MakeMigratable(new BufferedState(save, restore, maxSize), preCopy: false);
    }

    /// <summary>Called to stop the device: from the return until <see cref="OnStarted"/> it must access no guest memory, trigger no
    /// interrupt, and not change its state.</summary>
    /// <remarks>Command thread, after <see cref="OnQuiesceAsync"/>. Pending signals of ioeventfds and doorbell pages have been
    /// handled, and later ones are not; a device that polls for them can do so here for the last time. Only devices that can be
    /// migrated are stopped. An exception fails the client's command, and the device keeps running.
    /// Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
    protected virtual void OnStopped()
    {
    }

    /// <summary>Called to start the stopped device, with the state that it had, or with a restored one.</summary>
    /// <remarks>Command thread. Also after a restore or a reset in between. An exception fails the client's command; the device
    /// then stays stopped, unless it was started by a reset or for a new client.</remarks>
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

    /// <summary>The device runs again, even if <see cref="OnStarted"/> threw.</summary>
    internal void RunAgain()
    {
        Activity.Start();
        Notifiers.Continue();
        CommandWork.Continue();
    }

    private void MakeMigratable(IMigrationState? state, bool preCopy)
    {
        ThrowIfServed();
        if (Migration is not null)
            throw new InvalidOperationException("Migration is enabled already. Enable it in one call.");
        Migration = new DeviceMigration(this, state, preCopy);
    }
}
