using System.Buffers;

namespace VfioUser;

/// <content>Live migration.</content>
public abstract partial class PciDevice
{
    private readonly OrderedDictionary<string, ISavedPart> _states = new(StringComparer.Ordinal);

    /// <summary>Default limit for a state that is saved as a whole, in bytes: 16 MiB.</summary>
    public const int DefaultMaxStateSize = 16 << 20;

    /// <summary>The migration state; null for a device that cannot be migrated.</summary>
    internal DeviceMigration? Migration { get; private set; }

    internal MigrationOptions MigrationOptions { get; private set; } = new();

    /// <summary>By name, in the order in which they were added.</summary>
    internal IReadOnlyDictionary<string, ISavedPart> States => _states;

    /// <summary>While a state is restored: the <see cref="MigrationOptions.Version"/> of the device that saved it; otherwise that of the
    /// last one, or 0.</summary>
    /// <remarks>Command thread. For code that restores the device state, and for <see cref="OnRestored"/>.</remarks>
    protected int RestoredVersion => Migration?.RestoredVersion ?? 0;

    /// <summary>Enables migration for a device without own state. The library migrates registers of
    /// <see cref="RegisterBlock.AddRegister{T}(long, RegisterAccess)"/>, MSI-X tables, what the guest wrote to configuration space,
    /// the level of INTx, pending interrupts, timers, and shared memory of regions.</summary>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <param name="options">Versions, and whether there is a pre-copy; null for a device of one version without.</param>
    /// <exception cref="ArgumentException">The versions contradict each other.</exception>
    /// <remarks>Setup. For devices that keep everything in registers. Spec: "Device Features".</remarks>
    protected void EnableMigration(MigrationOptions? options = null) => MakeMigratable(null, options);

    /// <summary>Enables migration for a device with own state, besides what the library migrates.</summary>
    /// <param name="state">Saves and restores the device's own state.</param>
    /// <param name="options">Versions, and whether it can save while the device still runs.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. Spec: "Device Features".</remarks>
    protected void EnableMigration(IMigrationState state, MigrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(state);
        MakeMigratable(state, options);
    }

    /// <summary>Enables migration for a device whose own state is one small structure.</summary>
    /// <typeparam name="T">A structure without references; source and destination must agree on its layout, so give it an explicit one.</typeparam>
    /// <param name="save">Gives the state. Called when the device is stopped.</param>
    /// <param name="restore">Restores it, after registers and memory. May throw <see cref="InvalidDataException"/>.</param>
    /// <param name="options">Versions.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration<T>(Func<T> save, Action<T> restore, MigrationOptions? options = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        MakeMigratable(BufferedState.Of(save, restore), options);
    }

    /// <summary>Enables migration for a device whose own state is saved and restored as a whole.</summary>
    /// <param name="save">Writes the state. Called when the device is stopped.</param>
    /// <param name="restore">Restores it, after registers and memory. May throw <see cref="InvalidDataException"/>.</param>
    /// <param name="maxSize">Limit in bytes for what a restore buffers; a longer state is refused.</param>
    /// <param name="options">Versions.</param>
    /// <exception cref="InvalidOperationException">It was enabled before, or the device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Spec: "Device Features".</remarks>
    protected void EnableMigration(Action<IBufferWriter<byte>> save, MigrationRestore restore, int maxSize = DefaultMaxStateSize, MigrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        ArgumentOutOfRangeException.ThrowIfNegative(maxSize);
        MakeMigratable(new BufferedState(save, restore, maxSize), options);
    }

    /// <summary>Enables migration with a stream in the device's own format, to which the library adds nothing: registers, configuration
    /// space, timers, memory and what <see cref="AddState{T}"/> adds are not saved.</summary>
    /// <param name="migration">Saves and restores everything.</param>
    /// <param name="preCopy">Whether it can save while the device still runs.</param>
    /// <exception cref="InvalidOperationException">Migration was enabled before, or the device is being served.</exception>
    /// <remarks>Setup. For devices that exchange state with another implementation; all others use <c>EnableMigration</c>.
    /// Spec: "Device Features".</remarks>
    protected void EnableRawMigration(IRawMigration migration, bool preCopy = false)
    {
        ArgumentNullException.ThrowIfNull(migration);
        ThrowIfMigratable();
        Migration = new DeviceMigration(this, migration, preCopy);
    }

    /// <summary>Adds a structure to what a migration carries, by a name: state of a <see cref="DevicePart"/>, or of a device whose state
    /// grows with its versions.</summary>
    /// <typeparam name="T">A structure without references, of at least one byte; all versions must agree on its layout, so give it an
    /// explicit one. One that has to change gets another name.</typeparam>
    /// <param name="name">Unique in the device.</param>
    /// <param name="save">Gives the state. Called when the device is stopped.</param>
    /// <param name="restore">Restores it; registers and other states may be restored after it, <see cref="OnRestored"/> is called after
    /// all. The value is untrusted: throw <see cref="InvalidDataException"/> for one that is not valid, which fails the restore.</param>
    /// <param name="since">The first <see cref="MigrationOptions.Version"/> that has it: streams of older ones do not call
    /// <paramref name="restore"/>.</param>
    /// <param name="isOptional">Whether a migration to or from a version without it may do without it.</param>
    /// <exception cref="ArgumentException">There is one of this name.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup; both run on the Command thread. Without an <c>EnableMigration</c> nothing is saved.</remarks>
    public void AddState<T>(string name, Func<T> save, Action<T> restore, int since = 1, bool isOptional = false)
        where T : unmanaged
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(save);
        ArgumentNullException.ThrowIfNull(restore);
        ArgumentOutOfRangeException.ThrowIfLessThan(since, 1);
        ThrowIfServed();
        if (!_states.TryAdd(name, new NamedState<T>(save, restore, since, isOptional)))
            throw new ArgumentException($"The device has a state {name} already.", nameof(name));
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

    /// <summary>Called when a restore is complete: registers, memory and the device state have their new values.</summary>
    /// <remarks>Command thread, while it is stopped. For what was derived from registers when they were written: no write handler was
    /// called. <see cref="RestoredVersion"/> says how old the state is. An exception fails the restore, and the client must reset the
    /// device.</remarks>
    protected virtual void OnRestored()
    {
    }

    internal void StateRestored() => Call(DeviceCallback.Restored, static (part, _) => part.OnRestored(), static (device, _) => device.OnRestored(), 0);

    internal void Stopped()
    {
        Activity.Stop();
        Notifiers.Drain();
        // after the handlers above: actions that they have posted belong to the state that is saved
        CommandWork.Stop();
        try
        {
            Call(DeviceCallback.Stopped, static (part, _) => part.OnStopped(), static (device, _) => device.OnStopped(), 0);
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
        Call(DeviceCallback.Started, static (part, _) => part.OnStarted(), static (device, _) => device.OnStarted(), 0);
        RunAgain();
    }

    /// <summary>The device runs again, even if <see cref="OnStarted"/> threw.</summary>
    internal void RunAgain()
    {
        Activity.Start();
        Notifiers.Continue();
        CommandWork.Continue();
    }

    private void MakeMigratable(IMigrationState? state, MigrationOptions? options)
    {
        options ??= new MigrationOptions();
        options.Check(nameof(options));
        ThrowIfMigratable();
        MigrationOptions = options;
        Migration = new DeviceMigration(this, state, options.PreCopy);
    }

    private void ThrowIfMigratable()
    {
        ThrowIfServed();
        if (Migration is not null)
            throw new InvalidOperationException("Migration is enabled already. Enable it in one call.");
    }
}
