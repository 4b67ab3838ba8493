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
            ApplyBusMaster();
        }
    }

    /// <summary>Whether the device may access guest memory and send interrupt messages. Any thread.</summary>
    internal bool MayMaster => !_requiresBusMaster || Config.IsBusMasterEnabled;

    // Command thread, and setup
    private void ApplyBusMaster()
    {
        Dma.MayMaster = MayMaster;
        if (!MayMaster)
            return;
        _irqs[(int)IrqType.Msi]?.RetryDelivery();
        _irqs[(int)IrqType.MsiX]?.RetryDelivery();
    }
}
