namespace VfioUser.Docs.Tests.Dma;

/// <summary>Writes completions into the guest's memory, and knows whose fault it is when it cannot.</summary>
internal sealed class Completer : PciDevice
{
    private const uint BadAddress = 1;

    public Completer()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EA), PciClass.ProcessingAccelerator)
    {
        Status = AddBar(0, BarKind.Memory32, size: 0x1000).AddRegister<uint>(offset: 0x00, RegisterAccess.ReadOnly);
    }

    public Register<uint> Status { get; }

    public void Complete(Iova completion, ulong entry, Action<string> log)
    {
        DmaResult result = Dma.TryWrite(completion, entry);
        if (result.IsBadAddress)
            Status.Value |= BadAddress; // the driver's mistake
        else if (!result)
            log($"a completion is lost: {result}"); // not the driver's
    }
}
