namespace VfioUser;

/// <summary>Something that devices are made of: it declares BARs, capabilities and registers of the device that it is given, and hears
/// what the device hears.</summary>
/// <remarks>
/// <para>Made in the device's constructor. All members that a device may override are here under the same names; each is called on the
/// Command thread before the device's own, in the order in which the parts were made. If one throws, the others are called all the
/// same, and the first exception is that of the device.</para>
/// <para>Registers and shared memory that a part declares move with the device. What a part starts, it ends in <see cref="Dispose(bool)"/>,
/// which the device's <see cref="PciDevice.Dispose()"/> calls.</para>
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

    /// <summary>The device ends.</summary>
    /// <param name="disposing">True: there is no finalizer.</param>
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
