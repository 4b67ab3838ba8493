using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The migration of a device whose stream has a format of its own, such as that of an existing implementation.</summary>
/// <remarks>
/// <para>
/// Command thread. The library passes the bytes on and adds none: no header and no checksum. It saves neither registers nor
/// configuration space, pending interrupts, timers and shared memory: the implementation does. The library cannot see whether a stream
/// is complete or damaged, so the implementation must refuse one that is: it comes from the client, which is not trusted. State
/// machine, quiescing and the commands served while the device is stopped are as for every device: see <see cref="PciDevice.OnStopped"/>.
/// </para>
/// An exception fails the client's command and is passed to <see cref="VfioUserServerOptions.OnDeviceException"/>;
/// <see cref="DeviceErrnoException"/> chooses the error. Spec: VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE.
/// </remarks>
public interface IRawMigration
{
    /// <summary>Estimates how much there is to save. The default is <see cref="PciDevice.DefaultMaxStateSize"/>.</summary>
    /// <remarks>Called at any time, even if no save has begun. Spec: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE of <c>linux/vfio.h</c>.</remarks>
    MigrationEstimate Estimate() => new(PciDevice.DefaultMaxStateSize);

    /// <summary>The state is about to change, by one step of the state machine; an exception prevents that.</summary>
    /// <param name="oldState">The state until now.</param>
    /// <param name="newState">The next one. PRE_COPY and STOP_COPY begin a save, unless one changes to the other; RESUMING begins a
    /// restore, and RESUMING to STOP ends it. RUNNING follows on any state when the device is reset or the next client attaches.</param>
    /// <exception cref="InvalidDataException">From RESUMING to STOP: the bytes that were written are not a valid state. The device is then
    /// in ERROR, and the client must reset it. Any other exception of this step has the same effect, if bytes were written.</exception>
    /// <remarks>
    /// Called before <see cref="PciDevice.OnStopped"/>, which runs what was posted: gather the state in <see cref="Read"/> and not here. Also
    /// called before <see cref="PciDevice.OnStarted"/>. If one of those throws, the state does not change after all. A reset in PRE_COPY
    /// changes no state, so that a guest can reboot while it is migrated: what is read after <see cref="PciDevice.OnReset"/> must
    /// supersede what was read before.
    /// </remarks>
    void OnState(MigrationState oldState, MigrationState newState);

    /// <summary>Saves the next bytes, in PRE_COPY or STOP_COPY.</summary>
    /// <param name="destination">Filled from its start, completely or in part; at least one byte.</param>
    /// <returns>Bytes written. It is called again until the client's message is full, or it returns 0: there is nothing now or, in
    /// STOP_COPY, nothing left.</returns>
    /// <remarks>After an exception the save cannot be continued: bytes may be lost.</remarks>
    int Read(Span<byte> destination);

    /// <summary>Restores the next bytes, in RESUMING.</summary>
    /// <param name="source">The next piece of the stream, of any size, at least one byte; valid for the call only.</param>
    /// <exception cref="InvalidDataException">The bytes are not valid: this and later commands for the restore fail.</exception>
    void Write(ReadOnlySpan<byte> source);
}
