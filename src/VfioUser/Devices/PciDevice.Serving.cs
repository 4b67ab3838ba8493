using Microsoft.Extensions.Logging;

namespace VfioUser;

/// <content>Called by the server, and by the declarations of interrupts.</content>
public abstract partial class PciDevice
{
    /// <summary>Number of regions: the nine of PCI, and the device-specific ones after them.</summary>
    internal int RegionCount => _regions.Length;

    /// <summary>A BAR, the ROM, VGA or a device-specific region; null for configuration space, and if the device does not have it.</summary>
    internal Region? RegionAt(uint index) => index < (uint)_regions.Length ? _regions[index] : null;

    internal IrqVectors? IrqsAt(uint index) => index < PciIrqCount ? _irqs[index] : null;

    internal void ThrowIfServed()
    {
        if (IsServed)
            throw new InvalidOperationException("The device is being served: nothing can be added. Declare everything in its constructor.");
    }

    /// <summary>Seals the device for one server.</summary>
    /// <param name="logger">The server's.</param>
    /// <param name="registerMap">Whether clients can read the names of its registers.</param>
    internal void BeginServing(ILogger logger, bool registerMap)
    {
        RegisterMap? map = registerMap ? RegisterMap.Of(this) : null;
        BeginServed();
        if (map is not null)
            AddRegisterMap(map);
        Logger = logger;
        Config.Seal();
        if (Config.PciExpress is { } express)
            express.FunctionLevelReset = () => Reset(ResetReason.FunctionLevel);
    }

    internal IrqVectors AddMsiX(int vectors, int tableBar, long table, int pendingBar, long pending, int? capabilityOffset)
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
            // a migration of the previous client has ended
            if (Migration is { NeedsReset: true })
                Reset(ResetReason.ClientRequested);
            else
                Migration?.BackToRunning();
        }
        finally
        {
            ResumeAfterPreviousClient();
        }
        Call(DeviceCallback.Attached, static (part, _) => part.OnAttached(), static (device, _) => device.OnAttached(), 0);
    }

    internal void Detached()
    {
        Activity.Detach();
        Notifiers.Detach();
        foreach (IrqVectors? irqs in _irqs)
            irqs?.ClientGone();
        Call(DeviceCallback.Detached, static (part, _) => part.OnDetached(), static (device, _) => device.OnDetached(), 0);
    }

    internal void DmaMapped(DmaRegion region) =>
        Call(DeviceCallback.DmaMapped, static (part, region) => part.OnDmaMapped(region), static (device, region) => device.OnDmaMapped(region), region);

    internal void DmaUnmapping(DmaRegion region) =>
        Call(DeviceCallback.DmaUnmapping, static (part, region) => part.OnDmaUnmapping(region), static (device, region) => device.OnDmaUnmapping(region), region);

    private IrqVectors AddIrqs(IrqVectors irqs)
    {
        ThrowIfServed();
        ref IrqVectors? slot = ref _irqs[(int)irqs.Type];
        if (slot is not null)
            throw new InvalidOperationException($"The device has {irqs.Type} interrupts already. Add all vectors in one call.");
        slot = irqs;
        foreach (Irq irq in irqs)
            irq.Device = this;
        return irqs;
    }
}
