namespace VfioUser.Docs.Tests.Interrupts;

/// <summary>Looks at what becomes of a trigger.</summary>
internal sealed class Moderated : PciDevice
{
    private readonly IrqVectors _vectors;
    private int _polling;

    public Moderated()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EB), PciClass.CommunicationOther)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _vectors = bar0.AddMsiX(offset: 0x1000, vectors: 4);
        _vectors[0].AddMaskChangeHandler(masked => Interlocked.Exchange(ref _polling, masked ? 1 : 0));
    }

    public bool DriverPolls => Volatile.Read(ref _polling) != 0;

    public bool Complete(int queue)
    {
        bool heard = _vectors[queue].Trigger(); // false: no client listens to this vector
        return heard && !_vectors[queue].IsPending; // pending: it is masked, and will come when it is unmasked
    }
}
