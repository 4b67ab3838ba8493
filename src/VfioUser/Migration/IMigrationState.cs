namespace VfioUser;

/// <summary>Saves and restores what a device is in the middle of, so that a guest can move to another host.</summary>
/// <remarks>
/// <para>
/// Command thread. What the library knows it carries by itself: registers, what the guest wrote to the configuration
/// space, interrupts, shared memory of regions. This is for the rest: queues, counters, what is in fields of the device.
/// </para>
/// <para>
/// The bytes arrive as they were saved and in the same order, but cut into other pieces. Nothing else comes in between,
/// and a stream that was damaged or cut short never gets to <see cref="EndRestore"/>.
/// </para>
/// An exception fails the client's command and is told to <see cref="VfioUserServerOptions.DeviceException"/>.
/// Spec: VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE.
/// </remarks>
public interface IMigrationState
{
    /// <summary>How much there is to save. By default as much as a state saved as one piece has at most,
    /// <see cref="PciDevice.DefaultMaxStateSize"/>.</summary>
    /// <remarks>Asked at any time, also when no save has begun. Spec: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE of <c>linux/vfio.h</c>.</remarks>
    MigrationEstimate Estimate() => new(PciDevice.DefaultMaxStateSize);

    /// <summary>A save begins: forget what an earlier one was up to. The device still runs if it saves while it runs.</summary>
    /// <remarks>Also after a reset in pre-copy, when what was given is no more: the other side is told to begin again, too.</remarks>
    void BeginSave();

    /// <summary>Gives the next bytes of the state.</summary>
    /// <param name="destination">To be filled from its start, at least 4 KiB; as much or as little as is at hand.</param>
    /// <param name="stopped">False while the device still runs, which happens only with pre-copy. True after
    /// <see cref="PciDevice.OnStopped"/>: nothing changes any more, what is left is to be given.</param>
    /// <returns>Bytes written; 0 when there is nothing more now, and, if <paramref name="stopped"/>, at all.</returns>
    int Save(Span<byte> destination, bool stopped);

    /// <summary>The save is over, whether all was read or the client has thought better of it.</summary>
    void EndSave()
    {
    }

    /// <summary>A restore begins, or begins again since the source was reset meanwhile: forget what was taken. The device is stopped.</summary>
    void BeginRestore();

    /// <summary>Takes the next bytes.</summary>
    /// <param name="source">At least one byte, valid for the call only.</param>
    /// <exception cref="InvalidDataException">They are not what was saved: the client is told, and must reset the device.</exception>
    void Restore(ReadOnlySpan<byte> source);

    /// <summary>All bytes have come. Registers, configuration space and shared memory are restored already.</summary>
    /// <exception cref="InvalidDataException">They do not make a state: the client is told, and must reset the device.</exception>
    void EndRestore();
}
