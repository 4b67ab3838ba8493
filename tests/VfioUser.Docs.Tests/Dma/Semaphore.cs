namespace VfioUser.Docs.Tests.Dma;

/// <summary>Takes a semaphore in the guest's memory that the guest's processors take, too.</summary>
internal sealed class Semaphore : PciDevice
{
    private const uint Free = 0;
    private const uint Taken = 1;

    public Semaphore()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EB), PciClass.ProcessingAccelerator)
    {
    }

    public bool TryTake(Iova semaphore)
    {
        DmaResult result = Dma.CompareExchange(semaphore, value: Taken, comparand: Free, out uint found);
        return result && found == Free;
    }
}
