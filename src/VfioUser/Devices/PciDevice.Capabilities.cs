namespace VfioUser;

/// <content>Capabilities that concern more than the configuration space.</content>
public abstract partial class PciDevice
{
    /// <summary>Lets the guest choose the size of BARs.</summary>
    /// <param name="bars">1 to 6, each once.</param>
    /// <exception cref="ArgumentException">A BAR belongs to another device, is named twice, or cannot have these sizes.</exception>
    /// <exception cref="InvalidOperationException">There are resizable BARs already, there is no PCI Express capability, or the device is
    /// being served.</exception>
    /// <remarks>Setup, after <see cref="ConfigSpace.AddPciExpress"/>. The regions keep their size, the largest. QEMU shows its guest the initial size only.
    /// PCI Express 6.0 7.8.6.</remarks>
    public ResizableBarCapability AddResizableBars(params ReadOnlySpan<ResizableBar> bars)
    {
        ThrowIfServed();
        if (bars.IsEmpty)
            throw new ArgumentException("Name a BAR.", nameof(bars));
        HashSet<Bar> seen = [];
        foreach (ResizableBar bar in bars)
        {
            bar.Check(this);
            if (!seen.Add(bar.Bar))
                throw new ArgumentException($"BAR {bar.Bar.Number} is named twice.", nameof(bars));
        }
        return Config.AddResizableBars(bars.ToArray(), null);
    }

    /// <summary>Adds single root I/O virtualization: the guest can ask for virtual functions.</summary>
    /// <param name="options">How many, and what they are.</param>
    /// <param name="offset">Offset of the capability in configuration space; null for the first free one.</param>
    /// <exception cref="ArgumentException">The options contradict each other, or the offset is in use.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, or the device is being
    /// served.</exception>
    /// <remarks>Setup, after <see cref="ConfigSpace.AddPciExpress"/>. Each virtual function is a device of its own with a socket of its
    /// own: see <see cref="SriovCapability"/>. PCI Express 6.0 9.3.3.</remarks>
    public SriovCapability AddSriov(SriovOptions options, int? offset = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        ThrowIfServed();
        SriovCapability sriov = Config.AddSriov(options, offset);
        _ = new SriovPart(this, sriov);
        return sriov;
    }

    // a part, so that an exception of a count handler is reported as one of the reset or the restore
    private sealed class SriovPart(PciDevice device, SriovCapability sriov) : DevicePart(device)
    {
        protected internal override void OnReset(ResetReason reason) => sriov.Refresh();

        protected internal override void OnRestored() => sriov.Refresh();
    }
}
