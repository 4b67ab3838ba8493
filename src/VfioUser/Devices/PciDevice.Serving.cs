namespace VfioUser;

/// <content>What the server does with a device.</content>
public abstract partial class PciDevice
{
    /// <summary>How many regions a client can ask about: the nine of PCI, and the device's own behind them.</summary>
    internal int RegionCount => _regions.Length;

    /// <summary>BARs, ROM, VGA and the device's own by index, without the configuration space; null for what the device does not have.</summary>
    internal Region? RegionAt(uint index) => index < (uint)_regions.Length ? _regions[index] : null;

    internal IrqVectors? IrqsAt(uint index) => index < PciIrqCount ? _irqs[index] : null;

    internal void ThrowIfServed()
    {
        if (IsServed)
            throw new InvalidOperationException("The device is being served and cannot change its shape any more. Declare everything in its constructor.");
    }

    /// <summary>From now on the device belongs to one server.</summary>
    internal void BeginServing()
    {
        BeginServed();
        Config.Seal();
        if (Config.PciExpress is { } express)
            express.FunctionLevelReset = () => Reset(ResetReason.FunctionLevel);
    }

    internal IrqVectors AddMsiX(int vectors, int tableBar, uint table, int pendingBar, uint pending, int? capabilityOffset)
    {
        ThrowIfServed();
        return AddIrqs(IrqVectors.Of(Config.AddMsiX(vectors, tableBar, table, pendingBar, pending, capabilityOffset)));
    }

    internal Notifiers Notifiers { get; } = new();

    internal void Attached()
    {
        Activity.Attach();
        try
        {
            // what the last client began is over
            if (Migration is { HasHalfState: true })
                Reset(ResetReason.Device);
            else
                Migration?.BackToRunning();
        }
        finally
        {
            ResumeFromBefore();
        }
        Call(DeviceCallback.Attached, static (device, _) => device.OnAttached(), 0);
    }

    internal void Detached()
    {
        Activity.Detach();
        Notifiers.Detach();
        foreach (IrqVectors? irqs in _irqs)
            irqs?.ClientGone();
        Call(DeviceCallback.Detached, static (device, _) => device.OnDetached(), 0);
    }

    // Who reports an exception is far from here, and is to know which call it was.
    private void Call<T>(DeviceCallback callback, Action<PciDevice, T> call, T argument)
    {
        try
        {
            call(this, argument);
        }
        catch (Exception e)
        {
            throw new DeviceCodeException(callback, e);
        }
    }

    internal void Reset(ResetReason reason) => Notifiers.RunSuspended(() => ResetSuspended(reason));

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
            Call(DeviceCallback.Reset, static (device, reason) => device.OnReset(reason), reason);
        }
        finally
        {
            Migration?.Reset();
        }
    }

    internal void DmaMapped(DmaRegion region) =>
        Call(DeviceCallback.DmaMapped, static (device, region) => device.OnDmaMapped(region), region);

    internal void DmaUnmapping(DmaRegion region) =>
        Call(DeviceCallback.DmaUnmapping, static (device, region) => device.OnDmaUnmapping(region), region);

    private IrqVectors AddIrqs(IrqVectors irqs)
    {
        ThrowIfServed();
        ref IrqVectors? place = ref _irqs[(int)irqs.Type];
        if (place is not null)
            throw new InvalidOperationException($"The device has {irqs.Type} interrupts already. Ask for all vectors at once.");
        place = irqs;
        foreach (Irq irq in irqs)
            irq.Device = this;
        return irqs;
    }
}
