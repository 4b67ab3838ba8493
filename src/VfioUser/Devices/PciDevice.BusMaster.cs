namespace VfioUser;

/// <content>Bus mastering.</content>
public abstract partial class PciDevice
{
    private bool _requiresBusMaster = true;

    /// <summary>Whether DMA and message-signalled interrupts need the guest to set Bus Master Enable, as PCI says. True by default;
    /// false for the few devices whose drivers never set it.</summary>
    /// <exception cref="InvalidOperationException">It is set while the device is being served.</exception>
    /// <remarks>
    /// Set it at setup; read it on any thread. While the bit is 0, an access to guest memory fails, and MSI and MSI-X vectors stay
    /// pending until it is 1; INTx is delivered. PCI 3.0 6.2.2; PCI Express 5.0 7.5.1.1.3.
    /// </remarks>
    protected bool RequiresBusMaster
    {
        get => _requiresBusMaster;
        set
        {
            ThrowIfServed();
            _requiresBusMaster = value;
            Dma.MayMaster = MayMaster;
        }
    }

    /// <summary>Whether the device may access guest memory and send interrupt messages. Any thread.</summary>
    internal bool MayMaster => !_requiresBusMaster || Config.IsBusMasterEnabled;

    /// <summary>Called when bus mastering was enabled: accesses to guest memory that failed as <see cref="DmaStatus.BusMasterOff"/> may be
    /// tried again. Not called for devices that do not require it.</summary>
    /// <remarks>Command thread, or that on which the device sets the bit itself. A guest may disable it while the device is at work, and
    /// enable it again, without a reset. PCI 3.0 6.2.2.</remarks>
    protected virtual void OnBusMasterEnabled()
    {
    }

    // Command thread
    private void ApplyBusMaster()
    {
        bool wasAllowed = Dma.MayMaster;
        Dma.MayMaster = MayMaster;
        if (!MayMaster)
            return;
        _irqs[(int)IrqType.Msi]?.RetryDelivery();
        _irqs[(int)IrqType.MsiX]?.RetryDelivery();
        if (!wasAllowed)
            OnBusMasterEnabled();
    }
}
