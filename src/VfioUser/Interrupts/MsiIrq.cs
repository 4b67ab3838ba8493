namespace VfioUser;

/// <summary>An MSI vector, which the guest can mask in the capability. PCI 3.0 6.8.1.9, 6.8.1.10.</summary>
internal sealed class MsiIrq(MsiCapability msi, int vector) : Irq(IrqType.Msi, vector)
{
    private protected override bool IsInhibited => msi.IsMasked(Vector);

    private protected override bool NeedsBusMaster => true;

    private protected override bool IsEnabledByGuest => Vector < msi.EnabledVectors;

    private protected override void PendingChanged(bool pending) => msi.SetPending(Vector, pending);
}
