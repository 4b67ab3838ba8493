namespace VfioUser;

/// <summary>A register, and a doorbell that copies guest memory and triggers an interrupt.</summary>
internal sealed class WarmUpDevice : PciDevice
{
    public const ulong Register = 0;
    public const ulong Doorbell = 8;
    public const ulong VectorControl = Vectors + 12;
    public const ulong Guest = 0x10000;

    private const ulong Vectors = 0x1000;

    private readonly Irq _done;

    public WarmUpDevice()
        : base(new PciId(0x1B36, 0x00F0), PciClass.Unclassified)
    {
        RequiresBusMaster = false;
        Bar bar = AddBar(0, BarKind.Memory32, 0x2000);
        bar.AddRegister<uint>((long)Register);
        bar.AddDoorbell((long)Doorbell, Ring);
        _done = bar.AddMsiX((long)Vectors, 1)[0];
    }

    private void Ring()
    {
        Span<byte> bytes = stackalloc byte[64];
        Iova guest = new(Guest);
        if (Dma.TryRead(guest, bytes) && Dma.TryWrite(guest, bytes))
            _done.Trigger();
    }
}
