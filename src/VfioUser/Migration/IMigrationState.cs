namespace VfioUser;

/// <summary>Saves and restores a device's own state, so that a guest can be migrated to another host.</summary>
/// <remarks>
/// <para>
/// Command thread. The library itself migrates registers, what the guest wrote to configuration space, interrupts, and shared
/// memory of regions. This interface is for everything else: queues, counters, fields of the device.
/// </para>
/// <para>
/// A restore gets the bytes in the order in which they were saved, but split differently, and no others. A damaged or
/// incomplete stream never reaches <see cref="EndRestore"/>.
/// </para>
/// An exception fails the client's command and is passed to <see cref="VfioUserServerOptions.OnDeviceException"/>.
/// Spec: VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE.
/// </remarks>
public interface IMigrationState
{
    /// <summary>Estimates how much there is to save. The default is <see cref="PciDevice.DefaultMaxStateSize"/>.</summary>
    /// <remarks>Called at any time, even if no save has begun. Spec: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE of <c>linux/vfio.h</c>.</remarks>
    MigrationEstimate Estimate() => new(PciDevice.DefaultMaxStateSize);

    /// <summary>A save begins; state of an earlier one is void. With pre-copy, the device is still running.</summary>
    /// <remarks>Also called after a reset in pre-copy: bytes saved before it are void, and the destination begins again, too.</remarks>
    void BeginSave();

    /// <summary>Saves the next bytes of the state.</summary>
    /// <param name="destination">Filled from its start, completely or in part; at least 4 KiB.</param>
    /// <param name="stopped">False while the device still runs, which only happens with pre-copy. True after
    /// <see cref="PciDevice.OnStopped"/>: save everything that is left.</param>
    /// <returns>Bytes written; 0 if there is nothing to save now, or, if <paramref name="stopped"/>, nothing left at all.</returns>
    int Save(Span<byte> destination, bool stopped);

    /// <summary>The save has ended: everything was read, or the client cancelled.</summary>
    void EndSave()
    {
    }

    /// <summary>A restore begins, or begins again because the source was reset; bytes restored before are void. The device is
    /// stopped.</summary>
    void BeginRestore();

    /// <summary>Restores the next bytes.</summary>
    /// <param name="source">At least one byte, valid for the call only.</param>
    /// <exception cref="InvalidDataException">The bytes are not valid: the client's command fails, and it must reset the device.</exception>
    void Restore(ReadOnlySpan<byte> source);

    /// <summary>All bytes have arrived. Registers, configuration space and shared memory are restored already.</summary>
    /// <exception cref="InvalidDataException">The state is not valid: the client's command fails, and it must reset the device.</exception>
    void EndRestore();
}
