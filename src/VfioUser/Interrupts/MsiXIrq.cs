namespace VfioUser;

/// <summary>An MSI-X vector. The guest can mask all vectors at once in the capability. PCI 3.0 6.8.2.3.</summary>
internal sealed class MsiXIrq(MsiXCapability msiX, int vector) : Irq(IrqType.MsiX, vector)
{
    private protected override bool IsInhibited => msiX.IsFunctionMasked;

    private protected override bool NeedsBusMaster => true;

    private protected override bool IsEnabledByGuest => msiX.IsEnabled;
}
