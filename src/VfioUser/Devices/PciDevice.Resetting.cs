namespace VfioUser;

/// <content>Resets.</content>
public abstract partial class PciDevice
{
    /// <summary>Resets the device as the client's VFIO_USER_DEVICE_RESET does: it is quiesced, gets its initial values,
    /// <see cref="OnReset"/> is called with <see cref="ResetReason.DeviceRequested"/>, and it is resumed.</summary>
    /// <returns>
    /// Completes when the device runs again. False if it could not be quiesced, or its code threw: then it may be reset in part.
    /// Cancelled when the device is disposed before.
    /// </returns>
    /// <remarks>
    /// <para>
    /// Any thread; does not block. The reset begins between two commands, with or without a client, never within a handler: code that runs
    /// on the Command thread must not wait for the task. Posts that run before it run first. Requests that have not begun are one reset,
    /// and an earlier reset by the client or by the driver completes them, too.
    /// </para>
    /// <para>
    /// A request waits while the device is not served, and while migration has stopped it; it is not part of the migration state. The
    /// client and the driver are not notified: configuration space has its initial values, bus mastering and MSI-X are off, so a driver that
    /// works with the device has to set it up again. To reset only registers, see <see cref="RegisterBlock.ResetRegisters"/>.
    /// </para>
    /// </remarks>
    public Task<bool> RequestResetAsync() => CommandWork.RequestReset();

    internal void Reset(ResetReason reason)
    {
        TaskCompletionSource<bool>? requested = CommandWork.Resets.Take();
        bool isReset = false;
        try
        {
            Notifiers.RunSuspended(() => ResetSuspended(reason));
            isReset = true;
        }
        finally
        {
            requested?.TrySetResult(isReset);
        }
    }

    private void ResetSuspended(ResetReason reason)
    {
        Config.Reset(keepSticky: reason == ResetReason.FunctionLevel);
        foreach (IrqVectors? irqs in _irqs)
            irqs?.Reset();
        foreach (Region? region in _regions)
            region?.Reset(keepSticky: reason == ResetReason.FunctionLevel);
        CommandWork.Reset();
        try
        {
            Call(DeviceCallback.Reset, static (part, reason) => part.OnReset(reason), static (device, reason) => device.OnReset(reason), reason);
        }
        finally
        {
            Migration?.Reset(reason);
        }
    }
}
