namespace VfioUser;

/// <summary>A reusable part of devices: it declares BARs, capabilities and registers of a device, and its members are called when the
/// device's are.</summary>
/// <remarks>
/// <para>Create it in the device's constructor. The members have the names of those that a device overrides; each is called on the
/// Command thread before the device's own, in the order in which the parts were created. If one throws, the others are called all the
/// same, and the first exception is reported as the device's.</para>
/// <para>Registers and shared memory that a part declares are migrated with the device. A part ends in <see cref="Dispose(bool)"/>, which
/// the device's <see cref="PciDevice.Dispose()"/> calls, what it has started.</para>
/// </remarks>
public abstract class DevicePart : IDisposable
{
    /// <summary>Adds the part to a device.</summary>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    protected DevicePart(PciDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        device.AddPart(this);
    }

    /// <summary>The device that it is a part of.</summary>
    protected PciDevice Device { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Called when the device is disposed.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <inheritdoc cref="PciDevice.OnAttached"/>
    protected internal virtual void OnAttached()
    {
    }

    /// <inheritdoc cref="PciDevice.OnDetached"/>
    protected internal virtual void OnDetached()
    {
    }

    /// <inheritdoc cref="PciDevice.OnReset"/>
    protected internal virtual void OnReset(ResetReason reason)
    {
    }

    /// <inheritdoc cref="PciDevice.OnDmaMapped"/>
    protected internal virtual void OnDmaMapped(DmaRegion region)
    {
    }

    /// <inheritdoc cref="PciDevice.OnDmaUnmapping"/>
    protected internal virtual void OnDmaUnmapping(DmaRegion region)
    {
    }

    /// <inheritdoc cref="PciDevice.OnStopped"/>
    protected internal virtual void OnStopped()
    {
    }

    /// <inheritdoc cref="PciDevice.OnStarted"/>
    protected internal virtual void OnStarted()
    {
    }

    /// <inheritdoc cref="PciDevice.OnRestored"/>
    protected internal virtual void OnRestored()
    {
    }
}
